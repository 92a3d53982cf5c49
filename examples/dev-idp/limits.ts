const minuteMs = 60 * 1000;
const dayS = 24 * 3600;

/** Every limit of this example in one place, with its unit in the name. */
export const limits = {
  /** One submitted form; the longest real one is a sign-up of under 1 KiB. */
  formMaxBytes: 8 * 1024,
  /** RFC 5321, 4.5.3.1.3: a path of 256 characters with its angle brackets. */
  emailMaxLength: 254,
  nameMaxLength: 100,
  /** NIST SP 800-63B: at least 8, and long pass phrases are welcome. */
  passwordMinLength: 8,
  passwordMaxLength: 128,

  /** A link to confirm an address. */
  linkLifeMs: 60 * minuteMs,
  /** Sign-ups that wait for their link, and mails in the outbox; past it the oldest go. */
  signUpsMaxCount: 1000,
  outboxMaxMails: 50,

  /** Failed sign-ins; the right password is not counted. */
  signInTries: { windowMs: 5 * minuteMs, perEmail: 10, perAddress: 50 },
  signUpTries: { windowMs: 60 * minuteMs, perEmail: 5, perAddress: 30 },
  /** E-mails and addresses whose tries are counted. Far more than `perAddress` tries could fill from one address. */
  triesMaxKeys: 10_000,

  /** How long things of the protocol live. The id token is short so that renewal is really used. */
  lifeS: {
    AccessToken: 600,
    AuthorizationCode: 60,
    Grant: 14 * dayS,
    IdToken: 600,
    Interaction: 3600,
    RefreshToken: 14 * dayS,
    Session: 14 * dayS,
  },
  /** How often what has expired is deleted. */
  sweepMs: minuteMs,
  /** A request that takes longer to arrive is cut off. */
  requestMaxMs: 30 * 1000,
} as const;

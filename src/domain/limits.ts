const kib = 1024;
const mib = 1024 * kib;
const secondMs = 1000;
const hourMs = 3600 * secondMs;

/**
 * Every limit in one place, with its unit in the name and its source beside it. "Momento 8" is section 8 of the protocol
 * reference. What an operator may change stands in config/schema.ts and starts from the number here.
 */
export const limits = {
  /** Names: 1..255 UTF-8 bytes. Momento documents no length; 255 is what file systems and DNS-like names hold. */
  nameMaxBytes: 255,

  /** One topic message: SNS and SQS allow 256 KiB, Momento 4 KB. */
  messageMaxBytes: 256 * kib,
  attributesMaxCount: 10,
  /** Of a message of a topic: SNS has no bound but the message's, which they count in. */
  topicAttributes: { maxCount: 100, maxBytes: 256 * kib },
  /** Names, types and values of one item's attributes together. */
  attributesMaxBytes: 16 * kib,
  messageIdMaxLength: 128,
  /** How long a messageId is remembered: AWS's de-duplication interval. */
  messageIdWindowMs: 5 * 60 * secondMs,
  /** What a topic's log keeps by default; configurable. */
  history: { maxItems: 100_000, maxBytes: 64 * mib, maxAgeMs: 24 * hourMs, environmentMaxBytes: 4096 * mib },
  /** The same for caches with durability `memory`. */
  memoryHistory: {
    maxItems: 100_000,
    maxBytes: 16 * mib,
    maxAgeMs: hourMs,
    environmentMaxBytes: 256 * mib,
    /** Of the process; less where V8's heap or the container is small: so much of either. */
    totalMaxBytes: 512 * mib,
    memoryPercent: 15,
  },
  /** Followed topics keep this much in memory: the Node SDK's first stream ends and comes back within it. */
  tailMinMs: 10 * secondMs,
  /** All tails of the process together; past it a publishing topic keeps a quarter of its tail (the log has the rest). */
  tailsMaxBytes: 256 * mib,
  /** Items in one append batch, and bytes of it: keeps a commit short. */
  batchMaxItems: 4096,
  batchMaxBytes: 8 * mib,
  /** Publishes waiting for the disk, all together; past it they are refused with `unavailable`. */
  pendingMaxItems: 100_000,
  pendingMaxBytes: 64 * mib,
  /** One chunk of a catch-up. */
  catchUpMaxItems: 256,
  catchUpMaxBytes: 256 * kib,

  /** Items: Momento 8 lists 4883 KB (5,000,000 bytes) and refuses 5,300,000. */
  itemMaxBytes: 5_000_000,
  itemKeyMaxBytes: 64 * kib,
  itemTtlMaxMs: 24 * hourMs,
  /** GetBatch, SetBatch, KeysExist: some 10 us each in the storage thread, where everybody else waits for them. */
  keysPerCallMax: 10_000,
  /** One element of a collection: Momento documents 128 KB. */
  elementMaxBytes: 128 * kib,
  /** All elements of one collection with 4 bytes for each, in a sorted set 16: what one answer can carry (Momento sends it whole). */
  collectionMaxBytes: 10_000_000,
  collectionMaxElements: 100_000,
  list: {
    /** Values of one call, some 1 us each in the storage thread, where everybody else waits for them. */
    pushMaxValues: 100_000,
    /** Ranges of one ListErase; the same. */
    eraseMaxRanges: 1000,
  },
  sortedSet: {
    /** Sorted sets that one union reads. */
    unionMaxSources: 100,
    /** Elements of all these together: reading them takes some 1 us each in the storage thread, where everybody else waits for them. */
    unionMaxElements: 200_000,
  },
  leaderboard: {
    /** Its answers are parts of it, so it may be larger than other collections; in memory this many take some 120 MB. */
    maxElements: 1_000_000,
    /** Elements or ids of one call, and of one answer: Momento's (1.6). */
    callMaxElements: 8192,
    /** Momento documents 7 days. */
    ttlMs: 7 * 24 * hourMs,
  },
  /** Byte budget of `disk` items per environment. */
  itemsEnvironmentMaxBytes: 4096 * mib,
  /** Of `memory` items; configurable. */
  memoryItems: {
    cacheMaxBytes: 512 * mib,
    environmentMaxBytes: 512 * mib,
    /** Of the process; less where V8's heap or the container is small: with the history's share, nearly half of it stays for all else. */
    totalMaxBytes: 1024 * mib,
    memoryPercent: 40,
    /** The most that may be configured. */
    memoryMaxPercent: 50,
  },
  /** Recently used `disk` items that are kept in memory, all together. */
  itemCacheMaxBytes: 128 * mib,
  cachesPerEnvironment: 1000,
  environment: {
    /** A label of DNS. */
    nameMaxLength: 63,
    /** All of a server: their records lie in memory, and metrics have a line for each that is used. */
    max: 10_000,
    secretsFromMax: 10,
    /** As far as config.md lets a server go. */
    messageMaxBytes: mib,
  },

  /** Queues: the bounds of SQS, whose clients expect them ("SQS" is section 3.6 of the AWS reference). */
  queue: {
    /** SQS: 80 of [A-Za-z0-9_-]. */
    nameMaxLength: 80,
    perEnvironment: 1000,
    /** A body, with the names, types and values of its attributes. SQS: 1 MiB since 2025; most clients expect what it was before. */
    messageMaxBytes: { default: 256 * kib, min: kib, max: mib },
    batchMaxMessages: 10,
    /** All messages of one send: ten of the default size. */
    batchMaxBytes: 2560 * kib,
    visibilityMs: { default: 30 * secondMs, max: 12 * hourMs },
    delayMs: { default: 0, max: 900 * secondMs },
    retentionMs: { default: 96 * hourMs, min: 60 * secondMs, max: 336 * hourMs },
    waitMaxMs: 20 * secondMs,
    maxReceives: 1000,
    /** Queues that a queue names as those whose dead letters it takes. */
    deadLetterSourcesMax: 10,
    tags: { max: 50, keyMaxLength: 128, valueMaxLength: 256 },
    /** Of AWS X-Ray, whose headers have some 100 characters. */
    traceHeaderMaxLength: 1024,
    /** Messages of one queue that are received and neither deleted nor given back. */
    inFlightMax: 120_000,
    peekMaxMessages: 100,
    peekMaxBytes: 4 * mib,
    /** One call of redrive. */
    redriveMaxMessages: 10_000,
    /** Moves of dead letters in the background. SQS: 500 a second at most, and shows the last ten of a queue. */
    move: { perSecondMax: 500, stepMaxMessages: 1000, keptPerSource: 10 },
    /** Messages of all queues of an environment, with 200 bytes for each. */
    environmentMaxBytes: 4096 * mib,
    /** Polls that wait, all queues of the process together. */
    pollsMax: 10_000,
    /** Received messages whose clients have not read the answer, all queues of the process together; as JSON up to six times that. */
    unreadMaxBytes: 64 * mib,
  },

  /** Disposable tokens: Momento 3.3 (25 h, 64 characters, 20 statements). */
  disposableTokenMaxMs: 25 * hourMs,
  tokenIdMaxLength: 64,
  /** What identity providers call `sub` fits: OpenID Connect allows 255, they use up to some 70. */
  userIdMaxLength: 128,
  tokenMaxGrants: 20,
  credentialMaxBytes: 16 * kib,
  verifiedCredentials: 100_000,
  /** Tokens of identity providers have some 1.5 KB: all of a hundred thousand users fit. Whoever has large ones, with many grants, pushes others out. */
  verifiedCredentialsMaxBytes: 256 * mib,
  /** Remembered answers to "may they do that?", of all callers together: at most some 600 bytes each. */
  decisions: 100_000,
  /** How often an open stream looks at the wall clock for its token's expiry, which it also does at that moment: a clock that is set forward. */
  expiryCheckMs: 10 * secondMs,
  /** A ticket is used by the page that has just asked for it: 30 s are enough for a slow one. */
  ticketMs: 30 * secondMs,
  /** Tickets that wait to be used, of the whole process. */
  ticketsMax: 10_000,
  /** Of one credential: a backend that makes them for its pages may make thirty a second, and nine others as many. */
  ticketsPerPrincipal: 1000,
  /** Tokens of identity providers. */
  identity: {
    authorizersMax: 100,
    /** Machines that ask a time server differ by less than a second. */
    leewayMs: { default: 10 * secondMs, max: 5 * 60 * secondMs },
    /** What templates make of the claims of one user. Some 150 bytes each, of every user who is remembered. */
    grantsMax: 256,
    /** Fetching keys: one call. OpenID's document makes it two. */
    fetchMs: 5 * secondMs,
    keysMaxBytes: 256 * kib,
    keysMax: 100,
    /** How long keys are used before they are fetched again, whatever the provider says. Without a word of it: ten minutes, as most do. */
    keysMs: { default: 10 * 60 * secondMs, min: 60 * secondMs, max: 24 * hourMs },
    /** A provider that cannot be reached signs nobody out: its last keys are good for a day. */
    keysStaleMs: 24 * hourMs,
    /** Between two fetches for a key that is not known: a stranger can write any key's name into a token. And how often a file is looked at. */
    coolDownMs: 30 * secondMs,
    /** The same while there are no keys at all, and so nobody can sign in. */
    firstCoolDownMs: secondMs,
    /** NIST SP 800-131A: shorter RSA keys are not to be used. */
    rsaMinBits: 2048,
  },
  /** Asking the operator's backend who connects: API Gateway's 29 s, and connections that wait for an answer, of each endpoint. */
  connectHook: { timeoutMs: 29 * secondMs, inFlightMax: 1000, answerMaxBytes: 64 * kib },
  /** API keys: small records, of which an engine may hold all in memory. Their grants are bounded like those of a token. */
  apiKey: {
    perEnvironment: 1000,
    descriptionMaxLength: 256,
    grantsMaxBytes: 16 * kib,
    /** A hundred years: later times could not be written as dates everywhere. */
    validForMs: { min: secondMs, max: 36_500 * 24 * hourMs },
    /** An expired key stays listed for a day: whoever wonders what ended can see it. */
    keptAfterExpiryMs: 24 * hourMs,
    /** Deleted keys are remembered as long as revocations; past this no key is made. All entries are read again after each: 10,000 take 5 ms. */
    deletedMax: 10_000,
  },
  /**
   * No token lives longer than 25 h. Five more, for clocks that are wrong by an hour: forward when the token is issued (26 h), back when it is
   * revoked and forward when the entry is swept (two more), back again when it is asked for (one more), and an hour to spare.
   */
  revocation: { perEnvironment: 10_000, keptMs: 30 * hourMs },
  /** Older signing keys verify for as long as a token may live, unless a rotation says otherwise. */
  signingKey: { perEnvironment: 10, overlapMs: { default: 25 * hourMs, max: 30 * 24 * hourMs } },
  /** Secrets: 64 KiB is what AWS Secrets Manager allows. Records lie in memory, so all versions of an environment together are bounded too. */
  secret: {
    perEnvironment: 1000,
    valueMaxBytes: 64 * kib,
    versionsMax: 10,
    /** As they are stored, encrypted: a third more than their values. */
    environmentMaxBytes: 16 * mib,
    /** How long a rotated key goes on: loaders fetch a secret again within minutes, a person within a week. */
    rotationOverlapMaxMs: 7 * 24 * hourMs,
  },

  /** Durable subscriptions of topics to URLs. */
  webhook: {
    /** Momento documented 5 to 10 per namespace. */
    perEnvironment: 1000,
    urlMaxLength: 2048,
    /** Momento documented 5 s for the whole call. */
    timeoutMs: 5 * secondMs,
    retry: { firstMs: secondMs, maxMs: 60 * secondMs },
    /** Time of an item's own: while the circuit is open it stands still. */
    deadlineMs: 15 * 60 * secondMs,
    /** Attempts in a row that found a destination that does not work, before only one is made at a time. */
    circuitFailures: 5,
    /** Without an order: deliveries of one webhook under way. */
    unorderedInFlight: 16,
    /** Without an order: items that are taken and not done, most of which wait for their next try. */
    pendingMax: 1000,
    /** Calls under way, of the whole process, and of them to one origin. */
    inFlightMax: 1000,
    originInFlightMax: 128,
    /** Bodies of all calls under way, as large as they can be in JSON: 160 of the largest. */
    inFlightMaxBytes: 256 * mib,
    /** How much of an answer is read; the rest is thrown away with its connection. */
    answerMaxBytes: 64 * kib,
    /** How much of a failure's answer is kept. */
    answerKeptBytes: kib,
    /** Deliveries, and failures, that are kept of each webhook. */
    logMax: 1000,
    /** What is done is stored so soon after, or after so many: so many may be delivered twice after kill -9. */
    saveMs: 100,
    saveMaxItems: 256,
    /** Of one webhook: dead letters that wait to be stored lie in memory, for long when the disk is full. */
    saveMaxBytes: mib,
    /** Those that sign at a time: the current one, and those of rotations whose overlap goes on. */
    secretsMax: 4,
    /** The secret before signs too for so long after a rotation. */
    rotationOverlapMs: { default: 24 * hourMs, max: 7 * 24 * hourMs },
  },
  /** Items that could not be delivered. Past one of these the oldest are dropped, with an alarm. */
  deadLetter: {
    perWebhook: 100_000,
    /** All webhooks of an environment together, with 256 bytes for each. */
    environmentMaxBytes: 1024 * mib,
    keptMs: 14 * 24 * hourMs,
  },
  /** Durable subscriptions of every kind; the numbers of webhooks hold for all. */
  subscription: {
    /** Items that a filter looks at before others have their turn of the event loop: some 2 ms of the most expensive policy. A text counts once more for each 256 bytes. */
    passedPerTurn: 1000,
    /** Deliveries of one subscription to a queue: what one commit takes of it. */
    queueInFlight: 128,
  },

  /** Topics that SNS may name, besides those that are built in: small records that lie in memory. Their tags are as those of queues. */
  eventTopic: {
    perEnvironment: 1000,
    /** Policies, and how SNS would try again: kept and shown, not obeyed. What IAM allows a policy of SNS. */
    attributeMaxBytes: 30 * kib,
    /** SNS: one batch, one message with its subject and attributes, one page of a list. */
    batchMaxMessages: 10,
    messageMaxBytes: 256 * kib,
    subjectMaxLength: 100,
    pageMax: 100,
  },
  /** Durable subscriptions that were made through SNS, and those that nobody has confirmed yet: SNS keeps them for three days. */
  eventSubscription: { perEnvironment: 1000, pendingMax: 1000, pendingKeptMs: 3 * 24 * hourMs },
  /** What a subscription lets through: SNS's own bounds. */
  filter: { policyMaxBytes: 256 * kib, keysMax: 5, combinationsMax: 150, numberMax: 1_000_000_000 },

  /** WebSockets. "AWS" is API Gateway (section 2.1 of the AWS reference). */
  gateway: {
    /** AWS: one message of a client, or to it. */
    messageMaxBytes: 128 * kib,
    /** Replies and notifications that wait for a client that does not read: eight of the largest. */
    outboxMaxBytes: mib,
    /** Items of topics that wait in one socket before its subscriptions read on from the log. */
    topicHighWaterBytes: 64 * kib,
    /** Frames of one connection that are being worked on; past it its socket is not read. One chunk of a socket (64 KiB) may add what it holds. */
    actionsMax: 256,
    /** Topics that one connection follows: Momento documents 100 subscriptions. */
    subscriptionsMax: 100,
    /** Users whom one connection watches: a contact list; some 150 bytes each here, and in one answer. */
    watchedUsersMax: 1000,
    /** The `id` that a client may give a frame. */
    frameIdMaxLength: 128,
    /** AWS: what an authorizer says of a user, which all later events carry, as JSON. */
    authorizerContextMaxBytes: 8 * kib,
    /** AWS: the longest a handshake or an action may take. */
    connectSeconds: 29,
    actionMaxSeconds: 29,
    /** The article's 5 s for publish and send. */
    actionSeconds: 5,
    /** Proxies close a silent line after 60 s; a phone that lost its network is known to be gone after 90 s. */
    heartbeatSeconds: 30,
    /** Pings without a sign of life before a client is cut. */
    pingsMax: 2,
    /** How long before its credential ends a client is warned; half of what is left when that is less. */
    expiryWarningMs: 60 * secondMs,
    /** Open connections of one user: some devices with many tabs. */
    userConnections: 100,
    /** AWS: frames per second and burst, and new connections, of an account; here of an environment. */
    framesPerSecond: 10_000,
    frameBurst: 5000,
    connectionsPerSecond: 500,
    /** A page that is loaded anew is back by then. */
    presenceGraceSeconds: 5,
  },

  /** What the server holds of users and their connections. */
  connection: {
    /** One page of users, or of connections. */
    pageMax: 1000,
    /** Notifications for a user who lost its last connection a moment ago: half of the largest, which is held when it is alone. */
    heldUserMaxBytes: 64 * kib,
    /** The same for all users of the process; a message for many of them counts once. */
    heldMaxBytes: 64 * mib,
    /** Who is kicked is told when to come back, and why. */
    afterMaxMs: 24 * hourMs,
    reasonMaxLength: 100,
    /** Who is OFFLINE, and was told so, is forgotten after so long. */
    offlineKeptMs: hourMs,
  },

  /** Notifications to users. */
  notification: {
    /** In `users` or `exclude_users`: some 0.2 us each to look up. */
    usersMax: 10_000,
    /** The `id` of a request. */
    idMaxLength: 128,
    /** The article's: after so many it is a dead letter. Between two: this, doubled each time. */
    triesMax: 5,
    retryFirstMs: secondMs,
    /** A request from the queue that is being worked on: after a crash it is tried again so much later. */
    visibilityMs: 30 * secondMs,
    /** Of the sentence that a dead letter carries. */
    errorMaxBytes: kib,
  },

  /** The door for AWS clients. */
  aws: {
    /** One request: what SQS takes at most (1 MiB), each byte of it escaped with three, as forms do and JSON at worst. An event for a handler may be larger. */
    bodyMaxBytes: 3.25 * mib,
    /** Of body and address: ten messages with ten attributes of three fields each, seven times over. */
    formMaxFields: 2500,
    /** AWS: five minutes between the clocks of client and server. */
    clockSkewMs: { default: 5 * 60 * secondMs, min: 30 * secondMs, max: 15 * 60 * secondMs },
    /** SDKs sign some ten headers. */
    signedHeadersMax: 64,
    acceptedHostsMax: 10,
    /** Keys derived for a day, region and service, remembered: 300 bytes each. */
    signingKeys: 10_000,
    /** AWS: names of one call, and parameters of one page with their values or without. */
    ssm: { namesMax: 10, pageMax: 10, describePageMax: 50 },
    /** AWS: secrets of one page. */
    secretsPageMax: 100,
    /** AWS: deletions of one call, and rows of one scan: a megabyte at 100 bytes each. */
    dynamodb: { batchMax: 25, scanMax: 10_000 },
  },

  /** Handlers; "Lambda" is AWS Lambda's own bound. */
  handler: {
    /** Lambda. */
    nameMaxLength: 64,
    perEnvironment: 100,
    /** Lambda's 15 minutes; its default of 3 s is too short for most. */
    timeoutMs: { default: 30 * secondMs, min: 100, max: 900 * secondMs },
    /** Processes of one handler, some 50 MB each. */
    concurrencyMax: 100,
    sourcesMax: 10,
    /** How long a batch waits to become full: Lambda. */
    windowMaxMs: 300 * secondMs,
    /** Invocations of one handler that wait for one that runs to end. */
    waitingMax: 1000,
    /** Events of them all, of the process. */
    waitingMaxBytes: 256 * mib,
    /** Lambda: an event, and a result. */
    eventMaxBytes: 6 * mib,
    resultMaxBytes: 6 * mib,
    /** API Gateway: names and values of one answer over HTTP. Node's own clients take 16 KiB, ours among them. */
    answerHeadersMaxBytes: 10 * kib,
    /** Names and values of its variables and secrets; Linux lets a process have two megabytes. */
    variablesMaxBytes: 512 * kib,
    /** A batch that failed comes back so much later, doubled with each receive. */
    retry: { firstMs: secondMs, maxMs: 900 * secondMs },
    /** A handler that could not be started is tried again so much later, doubled each time. */
    startRetry: { firstMs: secondMs, maxMs: 60 * secondMs },
    /** A secret that has changed reaches the handlers that have it: the promise is five minutes. */
    secretsCheckMs: 60 * secondMs,
    /** Lambda: until a process first asks for work. */
    initMs: 10 * secondMs,
    /** What a process has for its end before it is killed; Lambda gives 2 s. */
    stopGraceMs: 2 * secondMs,
    /** A process that ends before it has done anything is started again so much later, doubled each time. */
    restart: { firstMs: 100, maxMs: 10 * secondMs },
    /** Lines of one handler that are kept, all together 50 MiB. */
    logMaxLines: 1000,
    logMaxBytes: 512 * kib,
    logLineMaxBytes: 16 * kib,
    logsMax: 100,
    /** How long a call waits for work, or for lines of a log: shorter than the 60 s after which proxies close a silent line. */
    pollMs: 20 * secondMs,
    /** A runtime that has not asked for work for so long is gone. */
    silenceMs: 30 * secondMs,
  },

  /** What `todoku start` begins with; config.md says how to change it. Keys, users and environments have no limit of their own until one is set. */
  rates: {
    /** One page of one user: Momento documents 10 calls a second; ten times that. */
    tokenCallsPerSecond: 100,
    /** Momento documents 100 subscriptions. */
    tokenStreams: 200,
    /** Calls with tokens, all of an address together: an office of a thousand people behind one address. */
    addressCallsPerSecond: 1000,
    /** That office with two connections each; a hundred of them fill the file descriptors of a large server. */
    addressConnections: 2000,
    /** Refused credentials: five a second cost nothing, and guessing 256 bits is hopeless anyway. In dev mode too. */
    failedCredentialsPerMinute: 300,
    /** A call that is refused for its rate hears of it so much later: who asks again at once then asks twenty times a second. */
    refusalDelayMs: 50,
    /** Calls of one connection that are refused for their rate before it is closed: one burst of all streams of HTTP/2 is forgiven. */
    refusalsMax: 1000,
    refusalsWindowMs: 10 * secondMs,
    /** Connections of one address that were closed for that, before its new ones are refused for a while. */
    cutOffsMax: 3,
    cutOffsWindowMs: 60 * secondMs,
    banMs: 10 * secondMs,
    /** Keys, tokens, users, addresses, environments that are counted, of each; about 200 bytes each. */
    metersMax: 100_000,
  },

  /** A connection that has not sent its first bytes, or ended its TLS handshake, by then is closed (slow loris); then the same for its HTTP/1.1 head, or HTTP/2 SETTINGS. */
  firstBytesMs: 10 * secondMs,
  tls: {
    /** Unfinished handshakes, some 50 kB each; past it the oldest is dropped. An honest one takes a tenth of a second. */
    handshakesMax: 1000,
    /** Renewal is due a month before the end where it is automatic: two weeks mean that it does not work. */
    certificateWarningMs: 14 * 24 * hourMs,
  },
  /** A request must be whole by then. */
  requestMs: 60 * secondMs,
  /** Of all connections together: nobody has to show a credential to begin one. Past it only the larger ones are refused: small calls go on. */
  unfinishedRequests: { maxBytes: 512 * mib, smallMaxBytes: 64 * kib },
  /** Answers that clients have not read yet, of all connections together: a hundred of the greatest items. The same. */
  unreadAnswers: { maxBytes: 512 * mib, smallMaxBytes: 64 * kib },
  /** gRPC: the SDKs set 10,486,000 bytes for both directions (Momento 1.1). */
  grpcMessageMaxBytes: 10_486_000,
  http: {
    headersMaxBytes: 16 * kib,
    jsonBodyMaxBytes: mib,
    /** The greatest call, a batch of ten messages with ten attributes each, has some 370. */
    jsonBodyMaxValues: 5000,
    keepAliveMs: 75 * secondMs,
  },
  http2: {
    /** Momento's SDK counts 100 subscriptions a connection and then loses count (reference 10): allow ten times that. */
    maxConcurrentStreams: 1000,
    /** node:http2 ends a session after 1,000 resets in a burst, 33/s after that. SDK deadlines and unsubscribes are resets: 4,000 and 400/s. */
    streamResetBurst: 4000,
    streamResetRate: 400,
    headerListMaxBytes: 32 * kib,
    headerPairsMax: 64,
    settingsEntriesMax: 32,
    /** SETTINGS frames and PINGs of a client per second, burst ten times that. The SDK pings each 5 s. */
    settingsPerSecond: 10,
    pingsPerSecond: 20,
    invalidFramesMax: 100,
    rejectedStreamsMax: 100,
    /** node:http2's own bound, in MB: header blocks, and data that flow control holds back. */
    sessionMemoryMb: 64,
    /** Bytes waiting in one stream before its subscriber becomes a reader of the log. */
    streamSendBufferBytes: 256 * kib,
    /** The same for all streams of a session, gRPC, grpc-web and server-sent events together. */
    sessionSendBufferBytes: 16 * mib,
    /** Unfinished requests of a session together: 25 of the greatest. Most are held before a credential is looked at. */
    sessionRequestBytes: 256 * mib,
    /** Flow-control window we grant for requests. */
    initialWindowBytes: mib,
  },
  heartbeatMs: secondMs,
  /** Momento 4 (ii): a first Subscribe is ended this much before its deadline, and may be resumed for ten seconds. */
  earlyEndMs: 500,
  resumePlaceMs: 10 * secondMs,
  resumePlacesPerSession: 1000,
  /** Momento's HTTP API: how long a poll waits, which Momento does not say (proxies close after 60 s), and when it answers without waiting for more. */
  longPollMs: 30 * secondMs,
  longPollAnswerBytes: mib,
  /** A grpc-web body past this is ended (the SDK resumes): XHR keeps the whole text in memory. */
  webBodyMaxBytes: 4 * mib,
  /** Fault headers, in dev mode. */
  faults: {
    /** UUIDs have 36. */
    requestIdMaxLength: 128,
    /** Whose calls are counted, some 500 bytes each; past it the oldest begin anew. */
    requestIdsMax: 10_000,
    /** Longer than any client waits: Momento's SDK waits a minute at most. */
    delayMaxMs: 10 * 60 * secondMs,
    countMax: 1_000_000,
  },
} as const;

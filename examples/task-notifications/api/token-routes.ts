import {
  AuthClient,
  AuthClientConfigurations,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  NoopMomentoLoggerFactory,
} from "@gomomento/sdk";
import type { Context } from "hono";
import type { Logger } from "pino";
import type { KeyFile } from "../shared/key-file.ts";
import { MomentoClient, momentoCredential } from "../shared/momento.ts";
import { unavailable } from "./api-error.ts";
import type { Authorizer } from "./authorizer.ts";
import type { ApiEnvironment } from "./headers.ts";
import type { RateLimit } from "./rate-limit.ts";

/** What `GET /token` needs. */
export interface TokenOptions {
  readonly authorizer: Authorizer;
  readonly rateLimit: RateLimit;
  readonly keyFile: KeyFile;
  readonly todokuUrl: string;
  /** Where a browser finds Todoku. */
  readonly todokuPublicUrl: string;
  readonly cacheName: string;
  readonly log: Pick<Logger, "error">;
}

const lifeMinutes = 30;
/** The SDK itself would try for a minute; nobody waits so long for a page. */
const timeoutMs = 5000;
/** The bound of Momento's token ids. A longer `sub` goes without: subscribers need none. */
const tokenIdMaxLength = 64;

/** `GET /token`: what the caller needs to listen to the caller's own topic, and to nothing else. */
export function getToken(options: TokenOptions) {
  const { authorizer, rateLimit, keyFile, cacheName } = options;
  const auth = new MomentoClient(keyFile, (apiKey) => createAuthClient(options.todokuUrl, apiKey));
  return async (context: Context<ApiEnvironment>) => {
    // Nothing else of the request is read: the topic is the caller's own, whatever the query asks for.
    const { sub } = await authorizer.authorize(context.req.header("authorization"));
    rateLimit.take(sub);
    const { authToken, expiresAt } = await issue(options, auth, sub);
    const expiresAtMs = expiresAt.epoch() * 1000;
    return context.json({
      endpoint: options.todokuPublicUrl,
      token: authToken,
      cacheName,
      topic: sub,
      expiresAt: new Date(expiresAtMs).toISOString(),
      expiresAtMs,
    });
  };
}

function createAuthClient(todokuUrl: string, apiKey: string): AuthClient {
  return new AuthClient({
    // The SDK's own logger writes to stdout, and at its finer levels what it sends.
    configuration: AuthClientConfigurations.Default.latest(new NoopMomentoLoggerFactory()),
    credentialProvider: momentoCredential(todokuUrl, apiKey),
  });
}

async function issue(
  { cacheName, log }: TokenOptions,
  auth: MomentoClient<AuthClient>,
  sub: string,
): Promise<GenerateDisposableToken.Success> {
  const scope = DisposableTokenScopes.topicSubscribeOnly(cacheName, sub);
  const identity = sub.length <= tokenIdMaxLength ? { tokenId: sub } : {};
  try {
    const answer = await auth.use((client) =>
      withTimeout(client.generateDisposableToken(scope, ExpiresIn.minutes(lifeMinutes), identity)),
    );
    if (answer instanceof GenerateDisposableToken.Success) return answer;
    throw new Error(answer.toString());
  } catch (error) {
    log.error({ err: error }, "no token issued");
    throw unavailable("No token can be issued now; try again", 2);
  }
}

async function withTimeout<T>(answer: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([answer, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

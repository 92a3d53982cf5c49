import {
  AuthClient,
  AuthClientConfigurations,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  MomentoErrorCode,
  NoopMomentoLoggerFactory,
} from "@gomomento/sdk";
import type { Context } from "hono";
import type { Logger } from "pino";
import { z } from "zod";
import type { Credential } from "../shared/credential.ts";
import { MomentoClient, momentoCredential } from "../shared/momento.ts";
import { type Todoku, TodokuFailure } from "../shared/todoku.ts";
import { unavailable } from "./api-error.ts";
import type { Authorizer } from "./authorizer.ts";
import type { ApiEnvironment } from "./headers.ts";
import type { RateLimit } from "./rate-limit.ts";

/** What `GET /token` needs. */
export interface TokenOptions {
  readonly authorizer: Authorizer;
  readonly rateLimit: RateLimit;
  readonly credential: Credential<string>;
  readonly todoku: Todoku;
  readonly todokuUrl: string;
  /** Where a browser finds Todoku. */
  readonly todokuPublicUrl: string;
  readonly cacheName: string;
  readonly log: Pick<Logger, "error">;
}

const lifeMinutes = 30;
/** The SDK itself would try for a minute; nobody waits so long for a page. With two tries over Todoku's own API it is within the page's patience of 10 s. */
const timeoutMs = 3000;
/** The bound of Momento's token ids. A longer `sub` goes without: subscribers need none. */
const tokenIdMaxLength = 64;

/** `GET /token`: what the caller needs to listen to the caller's own topic, and to nothing else. */
export function getToken(options: TokenOptions) {
  const { authorizer, rateLimit, credential, cacheName } = options;
  const auth = new MomentoClient(credential, (apiKey) => createAuthClient(options.todokuUrl, apiKey));
  return async (context: Context<ApiEnvironment>) => {
    // Nothing else of the request is read: the topic is the caller's own, whatever the query asks for.
    const { sub } = await authorizer.authorize(context.req.header("authorization"));
    rateLimit.take(sub);
    const { token, expiresAtMs } = await issue(options, auth, sub).catch((error: unknown) => {
      options.log.error({ err: error }, "no token issued");
      throw unavailable("No token can be issued now; try again", 2);
    });
    return context.json({
      endpoint: options.todokuPublicUrl,
      token,
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

const issuedSchema = z.object({ token: z.string(), expiresAtMs: z.number() });
type Issued = z.output<typeof issuedSchema>;

async function issue(options: TokenOptions, auth: MomentoClient<AuthClient>, sub: string): Promise<Issued> {
  const scope = DisposableTokenScopes.topicSubscribeOnly(options.cacheName, sub);
  const identity = sub.length <= tokenIdMaxLength ? { tokenId: sub } : {};
  const answer = await withTimeout(
    auth.use((client) => client.generateDisposableToken(scope, ExpiresIn.minutes(lifeMinutes), identity)),
  );
  if (answer instanceof GenerateDisposableToken.Success) {
    return { token: answer.authToken, expiresAtMs: answer.expiresAt.epoch() * 1000 };
  }
  // gRPC waits up to two minutes before it tries a server again that was away for long, and for a quarter of an hour on a connection that
  // died unnoticed; a new AuthClient would wait with the old one: they share their connections. Todoku's own API has the same to give.
  const isUnreachable = answer === undefined || answer.errorCode() === MomentoErrorCode.SERVER_UNAVAILABLE;
  if (isUnreachable) return issueOverHttp(options, sub, identity);
  throw new Error(answer.toString());
}

async function issueOverHttp({ todoku, cacheName }: TokenOptions, sub: string, identity: { tokenId?: string }) {
  const listen = { resource: "topic", role: "subscribe", cache: { name: cacheName }, topic: { name: sub } };
  const request = { grants: [listen], validForSeconds: lifeMinutes * 60, ...identity };
  const ask = () => todoku.call("POST", "/v1/tokens", request, issuedSchema, { timeoutMs });
  return ask().catch((error: unknown) => {
    // The connection that `fetch` kept may be as dead; what timed out on it has closed it.
    if (error instanceof TodokuFailure && error.status === undefined) return ask();
    throw error;
  });
}

/** Undefined when there is no answer in time. */
async function withTimeout<T>(answer: Promise<T>): Promise<T | undefined> {
  const timeout = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => timeout.resolve(undefined), timeoutMs);
  try {
    return await Promise.race([answer, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

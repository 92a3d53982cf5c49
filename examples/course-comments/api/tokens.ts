import {
  AuthClient,
  AuthClientConfigurations,
  ExpiresIn,
  GenerateDisposableToken,
  MomentoErrorCode,
  NoopMomentoLoggerFactory,
  TopicRole,
} from "@gomomento/sdk";
import { z } from "zod";
import type { Credential } from "../../task-notifications/shared/credential.ts";
import { MomentoClient, momentoCredential } from "../../task-notifications/shared/momento.ts";
import { Todoku } from "../../task-notifications/shared/todoku.ts";
import { names } from "../shared/names.ts";
import type { View } from "./views.ts";

const lifeMinutes = 30;
/** The SDK itself would try for a minute; nobody waits so long for a page. */
const timeoutMs = 3000;

const issuedSchema = z.object({ token: z.string(), expiresAtMs: z.number() });
export type Issued = z.output<typeof issuedSchema>;

/** The token vending machine. */
export class Tokens {
  readonly #auth: MomentoClient<AuthClient>;
  readonly #todoku: Todoku;

  constructor(todokuUrl: string, credential: Credential<string>) {
    this.#auth = new MomentoClient(credential, (apiKey) => createAuthClient(todokuUrl, apiKey));
    this.#todoku = new Todoku(todokuUrl, credential);
  }

  /** For half an hour: to publish what the view publishes and to follow what it shows. What is published with it carries the user's id. @throws Error. */
  async issue(userId: string, { publishTopic, topic }: View): Promise<Issued> {
    const permissions = [
      { role: TopicRole.PublishOnly, cache: names.cache, topic: publishTopic },
      { role: TopicRole.SubscribeOnly, cache: names.cache, topic },
    ];
    const answer = await withTimeout(
      this.#auth.use((client) =>
        client.generateDisposableToken({ permissions }, ExpiresIn.minutes(lifeMinutes), { tokenId: userId }),
      ),
    );
    if (answer instanceof GenerateDisposableToken.Success) {
      return { token: answer.authToken, expiresAtMs: answer.expiresAt.epoch() * 1000 };
    }
    // gRPC waits up to two minutes before it tries a server again that was away for long. Todoku's own API has the same to give.
    const isUnreachable = answer === undefined || answer.errorCode() === MomentoErrorCode.SERVER_UNAVAILABLE;
    if (isUnreachable) return this.#issueOverHttp(userId, { publishTopic, topic });
    throw new Error(answer.toString());
  }

  #issueOverHttp(tokenId: string, { publishTopic, topic }: View): Promise<Issued> {
    const cache = { name: names.cache };
    const grants = [
      { resource: "topic", role: "publish", cache, topic: { name: publishTopic } },
      { resource: "topic", role: "subscribe", cache, topic: { name: topic } },
    ];
    const request = { grants, validForSeconds: lifeMinutes * 60, tokenId };
    return this.#todoku.call("POST", "/v1/tokens", request, issuedSchema, { timeoutMs });
  }
}

function createAuthClient(todokuUrl: string, apiKey: string): AuthClient {
  return new AuthClient({
    // The SDK's own logger writes to stdout, and at its finer levels what it sends.
    configuration: AuthClientConfigurations.Default.latest(new NoopMomentoLoggerFactory()),
    credentialProvider: momentoCredential(todokuUrl, apiKey),
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

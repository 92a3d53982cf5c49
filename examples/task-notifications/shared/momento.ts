import { CredentialProvider, MomentoErrorCode } from "@gomomento/sdk";
import { type Credential, CredentialRefused } from "./credential.ts";

/** The SDK as it is, told where our Todoku listens. It wants `host:port`, not a URL. */
export function momentoCredential(todokuUrl: string, apiKey: string): CredentialProvider {
  const { hostname, port, protocol } = new URL(todokuUrl);
  const isSecure = protocol === "https:";
  const endpoint = `${hostname}:${port || (isSecure ? 443 : 80)}`;
  return CredentialProvider.fromString({
    apiKey,
    endpointOverrides: {
      cacheEndpoint: endpoint,
      controlEndpoint: endpoint,
      tokenEndpoint: endpoint,
      secureConnection: isSecure,
    },
  });
}

/**
 * A client of the SDK that follows its key. The SDK reads its key once: a process that keeps the client keeps the old key for ever,
 * and fails for ever once that is deleted. So the client belongs to the text of its key, and both are swapped together.
 */
export class MomentoClient<Client> {
  readonly #credential: Credential<string>;
  readonly #make: (apiKey: string) => Client;
  #made: { readonly apiKey: string; readonly client: Client } | undefined;

  constructor(credential: Credential<string>, make: (apiKey: string) => Client) {
    this.#credential = credential;
    this.#make = make;
  }

  /** The SDK's answer, whatever it is. @throws CredentialRefused; what reading the key throws, when there is none. */
  use<Answer extends object>(call: (client: Client) => Promise<Answer>): Promise<Answer> {
    return this.#credential.use(async (apiKey) => {
      if (this.#made?.apiKey !== apiKey) this.#made = { apiKey, client: this.#make(apiKey) };
      const answer = await call(this.#made.client);
      if (errorCode(answer) === MomentoErrorCode.AUTHENTICATION_ERROR) {
        throw new CredentialRefused("Todoku refuses the key of the Momento client");
      }
      return answer;
    });
  }

  /** The next call makes a new client. gRPC waits up to two minutes before it tries a server again that was away for long; a new client tries at once. */
  renew(): void {
    this.#made = undefined;
  }
}

/** What kind of error an answer of the SDK is; undefined for a success. */
export function errorCode(answer: object): MomentoErrorCode | undefined {
  return "errorCode" in answer && typeof answer.errorCode === "function" ? answer.errorCode() : undefined;
}

const temporaryErrors: readonly (MomentoErrorCode | undefined)[] = [
  MomentoErrorCode.SERVER_UNAVAILABLE,
  MomentoErrorCode.TIMEOUT_ERROR,
  MomentoErrorCode.CANCELLED_ERROR,
  MomentoErrorCode.CONNECTION_ERROR,
  MomentoErrorCode.INTERNAL_SERVER_ERROR,
  MomentoErrorCode.LIMIT_EXCEEDED_ERROR,
  MomentoErrorCode.UNKNOWN_SERVICE_ERROR,
  MomentoErrorCode.UNKNOWN_ERROR,
];

/** The same call may succeed later. */
export function isTemporary(code: MomentoErrorCode): boolean {
  return temporaryErrors.includes(code);
}

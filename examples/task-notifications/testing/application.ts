import { join } from "node:path";
import { aDirectory, aServer } from "../../../test/support/server.ts";
import { type ApiOptions, startApi } from "../api/start-api.ts";
import { fixedCredential } from "../shared/credential.ts";
import { names } from "../shared/names.ts";
import { setUp } from "../shared/set-up.ts";
import { keyFileIn } from "../shared/settings.ts";
import { Todoku } from "../shared/todoku.ts";
import { aTestIssuer, clientId, type TestIssuer } from "./issuer.ts";
import { silentLog } from "./log.ts";

/** A Todoku in which the set-up has run. */
export interface SetUpTodoku extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly names: typeof names;
  /** As a super user. */
  readonly admin: Todoku;
  readonly stateDir: string;
}

/** A Todoku in this process, or the one that listens on `url` already. */
export async function aTodoku(url?: string): Promise<SetUpTodoku> {
  const directory = await aDirectory();
  const server = url === undefined ? await aServer() : undefined;
  const todokuUrl = url ?? server?.url ?? "";
  const admin = new Todoku(todokuUrl, fixedCredential(undefined));
  const stateDir = join(directory.path, "state");
  await setUp({ todokuUrl, stage: "dev", stateDir });
  return {
    ...{ url: todokuUrl, port: Number(new URL(todokuUrl).port), names, admin, stateDir },
    async [Symbol.asyncDispose]() {
      await server?.[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** An API in front of a Todoku, with an identity provider. */
export interface Application extends AsyncDisposable {
  readonly url: string;
  readonly todoku: SetUpTodoku;
  readonly issuer: TestIssuer;
  /** Calls the API as a signed-in user; a body is sent as JSON. */
  call(sub: string, method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

/** The origin of a page that the API knows. */
export const pageOrigin = "https://app.example.com";

export async function anApplication(overrides: Partial<ApiOptions> = {}, log = silentLog): Promise<Application> {
  const todoku = await aTodoku();
  const issuer = await aTestIssuer();
  const options: ApiOptions = {
    ...{ host: "127.0.0.1", port: 0, issuer: issuer.url, clientId, todokuUrl: todoku.url },
    ...{
      keyFile: keyFileIn(todoku.stateDir, "api"),
      allowedOrigins: [pageOrigin],
      pageDirectory: join(todoku.stateDir, "page"),
      ...overrides,
    },
  };
  const api = await startApi(options, log);
  return {
    ...{ url: api.url, todoku, issuer },
    async call(sub, method, path, body, headers = {}) {
      const authorization = `Bearer ${await issuer.token(sub)}`;
      const json = body === undefined ? {} : { "content-type": "application/json" };
      return fetch(api.url + path, {
        method,
        headers: { authorization, ...json, ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    },
    async [Symbol.asyncDispose]() {
      await api.close();
      await issuer[Symbol.asyncDispose]();
      await todoku[Symbol.asyncDispose]();
    },
  };
}

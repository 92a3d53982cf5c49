// Writers of what lets people in, and of whole environments. Names in ledgers are labels: credentials stand in no message.
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  GenerateApiTokenRequestSchema,
  GenerateApiTokenResponseSchema,
  RefreshApiTokenRequestSchema,
  RefreshApiTokenResponseSchema,
} from "../../src/protocols/momento/gen/auth_pb.ts";
import { SuperUserPermissions } from "../../src/protocols/momento/gen/permissions_pb.ts";
import { aSession, GrpcCall } from "./grpc.ts";
import { JsonApi, judge } from "./json-api.ts";
import { type Changes, gone } from "./ledger.ts";
import { lookAtEach, Writer } from "./writers.ts";

const grants = [{ resource: "topic", role: "subscribe", cache: { all: true }, topic: { all: true } }];
const tokenRequest = { grants, validForSeconds: 3600 };
const [valid, refused] = ["valid", "refused"];

/** Keeps what it was given under labels, and asks the door whether it is still good. */
abstract class CredentialWriter extends Writer {
  protected readonly credentials = new Map<string, string>();

  protected keep(name: string, credential: string): void {
    this.credentials.set(name, credential);
    this.ledger.know({ [name]: valid });
  }

  protected end<T>(names: readonly string[], call: () => Promise<T>): Promise<T> {
    return this.ledger.change(Object.fromEntries(names.map((name) => [name, refused])), call);
  }

  protected async token(api: JsonApi, name: string, more: object = {}): Promise<{ jti: string; token: string }> {
    const made = await api.post("/v1/tokens", { ...tokenRequest, ...more });
    this.keep(name, made.token);
    return made;
  }

  look(names: readonly string[]): Promise<Map<string, string>> {
    return lookAtEach(names, (name) => judge(this.port, this.credentials.get(name) ?? ""));
  }
}

/** API keys of `dev`: made, deleted, ended, given other rights, renewed as Momento's SDKs do it. */
export class KeyWriter extends CredentialWriter {
  readonly #ids = new Map<string, string>();

  protected async turn(label: string): Promise<void> {
    await this.#make(`stays-${label}`, { name: label, validForSeconds: 3600, grants });
    const deleted = await this.#make(`deleted-${label}`, { superUser: true });
    await this.end([`deleted-${label}`], () => this.api.call("DELETE", `/v1/keys/${deleted}`));
    const ended = await this.#make(`ended-${label}`, { grants });
    const now = { expiresInSeconds: 0 };
    await this.end([`ended-${label}`], () => this.api.call("PATCH", `/v1/keys/${ended}`, now));
    const promoted = await this.#make(`promoted-${label}`, { grants });
    const change = () => this.api.call("PATCH", `/v1/keys/${promoted}`, { superUser: true });
    this.ledger.know({ [`rights of promoted-${label}`]: "false" });
    await this.ledger.change({ [`rights of promoted-${label}`]: "true" }, change);
    await this.#renew(label);
    for (const name of this.ledger.namesOf(valid).slice(0, -50)) {
      const keyId = this.#ids.get(name);
      const rights = `rights of ${name}`;
      const changes = { [name]: refused, ...(name.startsWith("promoted") ? { [rights]: gone } : {}) };
      if (keyId) await this.ledger.change(changes, () => this.api.call("DELETE", `/v1/keys/${keyId}`));
    }
  }

  async #make(name: string, request: object): Promise<string> {
    const { keyId, apiKey } = await this.api.post("/v1/keys", request);
    this.keep(name, apiKey);
    this.#ids.set(name, keyId);
    return keyId;
  }

  async #renew(label: string): Promise<void> {
    const bytes = await ask(this.port, "GenerateApiToken", GenerateApiTokenRequestSchema, {
      permissions: { kind: { case: "superUser", value: SuperUserPermissions.SUPER_USER } },
      expiry: { case: "expires", value: { validForSeconds: 3600 } },
    });
    const made = fromBinary(GenerateApiTokenResponseSchema, bytes);
    this.#keepMomento(`renewed-${label}`, made.apiKey);
    this.credentials.set(`refresh token of renewed-${label}`, made.refreshToken);
    const renewed = fromBinary(RefreshApiTokenResponseSchema, await this.#refresh(`renewed-${label}`));
    this.ledger.know({ [`refresh token of renewed-${label}`]: "used" });
    this.#keepMomento(`renewal-${label}`, renewed.apiKey);
  }

  #keepMomento(name: string, apiKey: string): void {
    this.keep(name, apiKey);
    this.#ids.set(name, /^tdk_(.+)_[\w-]{43}$/.exec(apiKey)?.[1] ?? "");
  }

  #refresh(name: string): Promise<Uint8Array> {
    const apiKey = this.credentials.get(name) ?? "";
    const refreshToken = this.credentials.get(`refresh token of ${name}`) ?? "";
    return ask(this.port, "RefreshApiToken", RefreshApiTokenRequestSchema, { apiKey, refreshToken });
  }

  override async look(names: readonly string[]): Promise<Map<string, string>> {
    const { keys } = (await this.api.get("/v1/keys")) as { keys: { keyId: string; superUser: boolean }[] };
    const superUsers = new Map(keys.map(({ keyId, superUser }) => [keyId, String(superUser)]));
    return lookAtEach(names, async (name) => {
      const of = name.replace(/^.* of /, "");
      if (name.startsWith("rights of")) return superUsers.get(this.#ids.get(of) ?? "") ?? gone;
      if (!name.startsWith("refresh token of")) return judge(this.port, this.credentials.get(name) ?? "");
      // A second use would make a key: only those that were used for certain are looked at.
      const isRefused = await this.#refresh(of).then(
        () => false,
        (error: Error) => error.message.endsWith("status 16"),
      );
      return isRefused ? "used" : "good for another use";
    });
  }
}

/** One call of Momento's Auth service. @throws TypeError when the connection breaks; Error: it is refused. */
async function ask<Schema extends typeof GenerateApiTokenRequestSchema | typeof RefreshApiTokenRequestSchema>(
  port: number,
  method: string,
  schema: Schema,
  request: MessageInitShape<Schema>,
): Promise<Uint8Array> {
  using session = aSession(port);
  const call = new GrpcCall(session, `/auth.Auth/${method}`, toBinary(schema, create(schema, request)));
  const { status } = await call.ended;
  if (status === -1) throw new TypeError("the connection is broken");
  if (status !== 0) throw new Error(`${method} ended with status ${status}`);
  return call.messages[0] ?? new Uint8Array();
}

/** A writer in an environment of its own, as its super user. */
abstract class EnvironmentalWriter extends CredentialWriter {
  protected own = this.api;

  protected async prepareAs(name: string): Promise<void> {
    const { key } = await this.api.post("/v1/environments", { name });
    this.own = new JsonApi(this.port, key.apiKey);
  }
}

/** Tokens, and signing keys that are rotated with and without an overlap. */
export class SigningKeyWriter extends EnvironmentalWriter {
  #rotations = 0;

  override prepare(): Promise<void> {
    return this.prepareAs("signing");
  }

  protected async turn(label: string): Promise<void> {
    for (const n of [1, 2]) await this.token(this.own, `token-${label}-${n}`);
    const rotate = (overlapSeconds: number) => this.own.post("/v1/signing-keys", { overlapSeconds });
    if (++this.#rotations < 5) return void (await rotate(3600));
    await this.end(this.ledger.namesOf(valid), () => rotate(0));
    this.#rotations = 0;
  }
}

/** Tokens and keys that are revoked in each way. */
export class RevocationWriter extends EnvironmentalWriter {
  override prepare(): Promise<void> {
    return this.prepareAs("revoked");
  }

  protected async turn(label: string): Promise<void> {
    const { own } = this;
    const revoke = (names: readonly string[], revocation: object) =>
      this.end(names, () => own.post("/v1/revocations", revocation));
    const name = (kind: string) => `${kind}-${label}`;
    const { jti } = await this.token(own, name("jti"));
    const { token } = await this.token(own, name("whole"));
    await this.token(own, name("tokenId"), { tokenId: label });
    await this.token(own, name("user"), { userId: label });
    await this.token(own, name("stays"), { userId: `not ${label}` });
    const { keyId, apiKey } = await own.post("/v1/keys", { superUser: true });
    this.keep(name("key"), apiKey);
    await this.token(new JsonApi(this.port, apiKey), name("of key"));
    this.keep(name("key-stays"), (await own.post("/v1/keys", { grants })).apiKey);
    await revoke([name("jti")], { token: jti });
    await revoke([name("whole")], { token });
    await revoke([name("tokenId")], { tokenId: label });
    await revoke([name("user")], { userId: label });
    await revoke([name("key"), name("of key")], { keyId });
    if (this.turns % 4 !== 0) return;
    const isKey = (one: string) => one.startsWith("key");
    const keys = this.turns % 8 === 0;
    const ending = this.ledger.namesOf(valid).filter((one) => keys || !isKey(one));
    await revoke(ending, { issuedBeforeMs: Date.now() + 2000, keys });
  }
}

/** Keys in secrets, rotated: the secret holds a good one at every moment. */
export class KeyRotationWriter extends CredentialWriter {
  override async prepare(): Promise<void> {
    for (const n of [0, 1, 2]) {
      const { apiKey } = await this.api.post("/v1/keys", { grants });
      await this.api.post(`/v1/secrets/app-key-${n}`, { value: apiKey });
      this.ledger.know({ [`app-key-${n}`]: valid });
    }
  }

  protected async turn(label: string): Promise<void> {
    const secret = `app-key-${this.turns % 3}`;
    const { value } = await this.api.get(`/v1/secrets/${secret}`);
    // The same one again, when the last rotation was killed before it had begun.
    const [name] = [...this.credentials].find(([, credential]) => credential === value) ?? [`old-${label}`];
    this.keep(name, value);
    await this.end([name], () => this.api.post("/v1/keys/rotate", { secret, overlapSeconds: 0 }));
    // Its secret is looked at whenever it may have changed.
    this.ledger.know({ [secret]: valid });
  }

  override look(names: readonly string[]): Promise<Map<string, string>> {
    return lookAtEach(names, async (name) => {
      const inSecret = name.startsWith("app-key") ? (await this.api.get(`/v1/secrets/${name}`)).value : undefined;
      return judge(this.port, inSecret ?? this.credentials.get(name) ?? "");
    });
  }
}

/** Whole environments: created, changed, and destroyed while others are at work in them. */
export class EnvironmentWriter extends CredentialWriter {
  override async prepare(): Promise<void> {
    const { key } = await this.api.post("/v1/environments", { name: "template" });
    const own = new JsonApi(this.port, key.apiKey);
    for (const [path, name] of [
      ["/v1/caches", "c"],
      ["/v1/queues", "q"],
    ] as const)
      await own.post(path, { name });
  }

  protected async turn(label: string): Promise<void> {
    const name = `E-${label}-x`;
    const settings = (messageMaxBytes: number) => ({ settings: { messageMaxBytes } });
    const request = { name, from: "template", ...settings(4096) };
    const { key } = await this.ledger.change({ [name]: "4096" }, () => this.api.post("/v1/environments", request));
    this.keep(`key of ${name}`, key.apiKey);
    const path = `/v1/environments/${name}`;
    await this.ledger.change({ [name]: "8192" }, () => this.api.call("PATCH", path, settings(8192)));
    const work = workIn(new JsonApi(this.port, key.apiKey), name);
    await work.underWay;
    const ended: Changes = { [name]: gone, [`key of ${name}`]: refused };
    const destroying =
      this.turns % 3 === 0 ? undefined : this.ledger.change(ended, () => this.api.call("DELETE", path));
    await Promise.all([destroying?.finally(work.stop) ?? work.stop(), work.ended]);
    const [oldest] = this.ledger.namesOf("8192").slice(0, -20);
    if (!oldest) return;
    const old = { [oldest]: gone, [`key of ${oldest}`]: refused };
    await this.ledger.change(old, () => this.api.call("DELETE", `/v1/environments/${oldest}`));
  }

  override async look(names: readonly string[]): Promise<Map<string, string>> {
    const listed = new Map<string, string>();
    for (const { name, settings, state } of (await this.api.get("/v1/environments")).environments) {
      // Nobody gets in any more: what is still to be removed is looked for in the store.
      if (state === "live") listed.set(name, String(settings.messageMaxBytes));
    }
    return lookAtEach(names, async (name) => {
      if (!name.startsWith("key of ")) return listed.get(name) ?? gone;
      return judge(this.port, this.credentials.get(name) ?? "");
    });
  }
}

/** Writes everything under the name of the environment, until it is stopped; no call may do worse than to be refused. */
function workIn(own: JsonApi, name: string) {
  let isOver = false;
  const begun = Promise.withResolvers<void>();
  const loop = async (write: (text: string) => Promise<number>) => {
    for (let n = 0; !isOver; n++) {
      const status = await write(`in ${name} ${n}`);
      if (![200, 201, 204, 401, 404, 503].includes(status)) throw new Error(`in ${name}: ${status}`);
      if (n === 3) begun.resolve();
    }
  };
  const post = (path: string, body: object) => own.status("POST", path, body);
  const loops = [
    loop((text) => post("/v1/topics/c/t", { text, messageId: text })),
    loop((text) => post("/v1/queues/q/send", { body: text, messageId: text })),
    loop((text) => own.status("PUT", `/cache/c?key=${encodeURIComponent(text)}&ttl_seconds=3600`, text)),
    loop((text) => post("/v1/keys", { description: text, superUser: true })),
    loop((text) => post(`/v1/secrets/${encodeURIComponent(text)}`, { value: text })),
    loop((text) => post("/v1/revocations", { tokenId: text })),
    loop(() => post("/v1/tokens", tokenRequest)),
    loop((text) => post("/v1/caches", { name: text })),
  ];
  const ended = Promise.all(loops);
  return {
    /** Rejects when a loop fails first. */
    underWay: Promise.race([begun.promise, ended.then(() => {})]),
    ended,
    stop() {
      isOver = true;
    },
  };
}

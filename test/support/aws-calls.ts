import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import { MasterKey } from "../../src/domain/encryption/master-key.ts";
import { createSealer } from "../../src/domain/encryption/sealer.ts";
import { toTodokuError } from "../../src/domain/errors.ts";
import { createSecrets } from "../../src/domain/secrets/secrets.ts";
import type { AwsCall, AwsService, AwsServiceName } from "../../src/protocols/aws/call.ts";
import { AwsError } from "../../src/protocols/aws/errors.ts";
import { anEngine } from "./engine.ts";

/** A call as the door hands it to a service: by the super user of `dev`, with nothing in it. */
export function anAwsCall(service: AwsServiceName, about: Partial<AwsCall> = {}): AwsCall {
  return {
    ...{ service, wire: "json", principal: openPrincipal, action: "", input: {}, form: new URLSearchParams() },
    ...{ method: "POST", rawPath: "/", query: new URLSearchParams(), body: Buffer.alloc(0), headers: {} },
    ...{ requestId: "00000000-0000-4000-8000-000000000000", region: "us-east-1", baseUrl: "http://127.0.0.1:8080" },
    receiver: { isOpen: () => true, closed: new AbortController().signal, onEnd: () => {} },
    ...about,
  };
}

/** What the service answers to it, its body as it was before it became JSON. @throws AwsError in the service's words. */
export async function answerOf(service: AwsService, call: AwsCall): Promise<unknown> {
  try {
    const { body } = await service.handle(call);
    return typeof body === "string" ? JSON.parse(body) : body;
  } catch (error) {
    throw error instanceof AwsError ? error : service.toAwsError(toTodokuError(error), call);
  }
}

/** A secret store of its own, with the environments `dev` and `FEAT-X`, which reads secrets from it. */
export async function aSecretStore(wallMs: () => number) {
  const store = await anEngine({ wallMs });
  const { records } = store.engine;
  const known = new Map([
    ["dev", { secretsFrom: [] }],
    ["FEAT-X", { secretsFrom: ["dev"] }],
  ]);
  const sealer = createSealer(records, new MasterKey(randomBytes(32)));
  const secrets = createSecrets({ records, sealer, environments: { known: (name) => known.get(name) }, wallMs });
  return { secrets, empty: () => store.empty(), [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

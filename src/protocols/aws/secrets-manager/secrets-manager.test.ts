import { Buffer } from "node:buffer";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anAwsCall, answerOf, aSecretStore } from "../../../../test/support/aws-calls.ts";
import { openPrincipal } from "../../../domain/auth/open-access.ts";
import type { Principal } from "../../../domain/auth/principal.ts";
import type { AwsService } from "../call.ts";
import { createSecretsManager } from "./index.ts";
import { readSecretId, toArn } from "./names.ts";

const nowMs = 1_800_000_000_500;
const createdAt = nowMs / 1000;
let store: Awaited<ReturnType<typeof aSecretStore>>;
let manager: AwsService;
beforeAll(async () => {
  store = await aSecretStore(() => nowMs);
  const clock = { wallMs: () => nowMs, monotonicMs: () => 0, steadyMs: () => nowMs };
  manager = createSecretsManager({ secrets: store.secrets, clock });
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

const send = (action: string, input: object, principal: Principal = openPrincipal) =>
  answerOf(manager, anAwsCall("secretsmanager", { action, input: { ...input }, principal }));
const token = (n: number) => `token-${n}`.padEnd(32, "-");
const errorOf = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) });

describe("a secret", () => {
  it("is made once, and read by name or by ARN", async () => {
    const ARN = toArn("us-east-1", "app/db");
    expect(await send("CreateSecret", { Name: "app/db", SecretString: "pw", ClientRequestToken: token(1) })).toEqual({
      ...{ ARN, Name: "app/db", VersionId: token(1) },
    });
    const value = {
      ...{ ARN, Name: "app/db", VersionId: token(1), SecretString: "pw" },
      ...{ VersionStages: ["AWSCURRENT"], CreatedDate: createdAt },
    };
    for (const SecretId of ["app/db", ARN, ARN.slice(0, -7)]) {
      expect(await send("GetSecretValue", { SecretId })).toEqual(value);
    }
    await expect(send("CreateSecret", { Name: "app/db", SecretString: "other" })).rejects.toMatchObject(
      errorOf("ResourceExistsException", /secret "app\/db" exists already/),
    );
  });

  it("has a current version and a previous one, and others by their id only", async () => {
    await send("CreateSecret", { Name: "s", SecretString: "1", ClientRequestToken: token(1) });
    await send("PutSecretValue", { SecretId: "s", SecretString: "2", ClientRequestToken: token(2) });
    expect(await send("UpdateSecret", { SecretId: "s", SecretString: "3", ClientRequestToken: token(3) })).toEqual({
      ...{ ARN: toArn("us-east-1", "s"), Name: "s", VersionId: token(3) },
    });
    const read = (more: object) => send("GetSecretValue", { SecretId: "s", ...more });
    expect(await read({})).toMatchObject({ SecretString: "3" });
    expect(await read({ VersionStage: "AWSPREVIOUS" })).toMatchObject({ SecretString: "2" });
    expect(await read({ VersionId: token(1) })).toMatchObject({ SecretString: "1", VersionStages: [] });
    const missing = errorOf("ResourceNotFoundException", /has no version of/);
    await expect(read({ VersionId: token(1), VersionStage: "AWSCURRENT" })).rejects.toMatchObject(missing);
    await expect(read({ VersionStage: "AWSPENDING" })).rejects.toMatchObject(missing);
    const stages = { [token(3)]: ["AWSCURRENT"], [token(2)]: ["AWSPREVIOUS"] };
    expect(await send("DescribeSecret", { SecretId: "s" })).toMatchObject({ VersionIdsToStages: stages });
    expect(await send("ListSecrets", {})).toMatchObject({ SecretList: [{ SecretVersionsToStages: stages }] });
    const versions = async (more: object) =>
      ((await send("ListSecretVersionIds", { SecretId: "s", ...more })) as { Versions: object[] }).Versions.length;
    expect([await versions({}), await versions({ IncludeDeprecated: true })]).toEqual([2, 3]);
  });

  it("that is put again with the same token and value is put once; with another value it is refused", async () => {
    const put = (SecretString: string) =>
      send("PutSecretValue", { SecretId: "s", SecretString, ClientRequestToken: token(2) });
    const create = { Name: "s", SecretString: "1", ClientRequestToken: token(1) };
    expect(await send("CreateSecret", create)).toEqual(await send("CreateSecret", create));
    expect(await put("2")).toEqual(await put("2"));
    expect(await store.secrets.find(openPrincipal, "s")).toMatchObject({ currentVersion: 2 });
    await expect(put("3")).rejects.toMatchObject(errorOf("ResourceExistsException", /another version of the same id/));
  });

  it("may be bytes", async () => {
    const SecretBinary = Buffer.from([0, 255, 128]).toString("base64");
    await send("CreateSecret", { Name: "s", SecretBinary });
    const found = await send("GetSecretValue", { SecretId: "s" });
    expect(found).toMatchObject({ SecretBinary });
    expect(found).not.toHaveProperty("SecretString");
  });

  it("that another door has put has ids of its versions, too", async () => {
    await store.secrets.put(openPrincipal, "s", "1");
    await store.secrets.put(openPrincipal, "s", "2");
    const { VersionId } = (await send("GetSecretValue", { SecretId: "s", VersionStage: "AWSPREVIOUS" })) as {
      VersionId: string;
    };
    expect(VersionId).toMatch(/^[0-9a-f-]{36}$/);
    expect(await send("GetSecretValue", { SecretId: "s", VersionId })).toMatchObject({ SecretString: "1" });
  });

  it("is deleted at once, by who says that there is no way back", async () => {
    await store.secrets.put(openPrincipal, "s", "1");
    const refused = errorOf("InvalidParameterException", /"ForceDeleteWithoutRecovery": must be true/);
    await expect(send("DeleteSecret", { SecretId: "s" })).rejects.toMatchObject(refused);
    expect(await send("DeleteSecret", { SecretId: "s", ForceDeleteWithoutRecovery: true })).toMatchObject({
      ...{ Name: "s", DeletionDate: createdAt },
    });
    const missing = errorOf("ResourceNotFoundException", /secret "s" does not exist/);
    await expect(send("GetSecretValue", { SecretId: "s" })).rejects.toMatchObject(missing);
    await expect(send("PutSecretValue", { SecretId: "s", SecretString: "2" })).rejects.toMatchObject(missing);
  });

  it("that another environment shares is read, but not put to", async () => {
    const feature = { ...openPrincipal, environment: "FEAT-X" };
    await store.secrets.put(openPrincipal, "s", "of dev", { isShared: true });
    expect(await send("GetSecretValue", { SecretId: "s" }, feature)).toMatchObject({ SecretString: "of dev" });
    await expect(send("PutSecretValue", { SecretId: "s", SecretString: "x" }, feature)).rejects.toMatchObject({
      code: "ResourceNotFoundException",
    });
  });

  it("is for those whose grants name it", async () => {
    await store.secrets.put(openPrincipal, "s", "1");
    const writer: Principal = {
      ...{ ...openPrincipal, kind: "key", isSuperUser: false, isOperator: false },
      grants: [{ resource: "secret", role: "write", secret: { name: "s" } }],
    };
    await expect(send("GetSecretValue", { SecretId: "s" }, writer)).rejects.toMatchObject({
      code: "AccessDeniedException",
    });
    expect(await send("PutSecretValue", { SecretId: "s", SecretString: "2" }, writer)).toMatchObject({ Name: "s" });
  });
});

it.each<[string, object, RegExp]>([
  ["CreateSecret", { Name: "s" }, /either "SecretString" or "SecretBinary"/],
  ["CreateSecret", { Name: "s", SecretString: "a", SecretBinary: "YQ==" }, /either "SecretString" or "SecretBinary"/],
  ["CreateSecret", { Name: "s", SecretBinary: "no base64!" }, /"SecretBinary": must be base64/],
  ["CreateSecret", { Name: "s", SecretString: "a", ClientRequestToken: "short" }, /"ClientRequestToken"/],
  ["CreateSecret", { Name: "arn:x", SecretString: "a" }, /"Name"/],
  ["CreateSecret", { Name: "s", SecretString: "a", AddReplicaRegions: [] }, /AddReplicaRegions/],
  ["PutSecretValue", { SecretId: "s", SecretString: "a", VersionStages: ["AWSPENDING"] }, /"VersionStages/],
  ["ListSecrets", { Filters: [] }, /Filters/],
])("%s with %j is refused by name", async (action, input, message) => {
  await expect(send(action, input)).rejects.toMatchObject(errorOf("InvalidParameterException", message));
});

it("a name is read back from its ARN, whatever it ends with", () => {
  const name = fc.string({ minLength: 1, unit: fc.constantFrom("a", "B", "-", "/", "1") });
  fc.assert(fc.property(name, (one) => readSecretId(toArn("us-east-1", one)) === one));
});

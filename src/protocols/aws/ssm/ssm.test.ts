import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anAwsCall, answerOf, aSecretStore } from "../../../../test/support/aws-calls.ts";
import { openPrincipal } from "../../../domain/auth/open-access.ts";
import type { Principal } from "../../../domain/auth/principal.ts";
import type { AwsService } from "../call.ts";
import { createSsm } from "./index.ts";
import { isBelow } from "./names.ts";

const nowMs = 1_800_000_000_500;
let store: Awaited<ReturnType<typeof aSecretStore>>;
let ssm: AwsService;
beforeAll(async () => {
  store = await aSecretStore(() => nowMs);
  ssm = createSsm(store);
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

const send = (action: string, input: object, principal: Principal = openPrincipal) =>
  answerOf(ssm, anAwsCall("ssm", { action, input: { ...input }, principal, region: "eu-west-1" }));
const put = (Name: string, Value: string, more: object = {}) =>
  send("PutParameter", { Name, Value, Type: "SecureString", ...more });
const reader = (prefix: string): Principal => ({
  ...{ ...openPrincipal, kind: "key", isSuperUser: false, isOperator: false },
  grants: [{ resource: "secret", role: "read", secret: { prefix } }],
});
const errorOf = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) });

describe("a parameter", () => {
  it("is a secret, whatever its type is, and is read with its version, time and ARN", async () => {
    expect(await put("/svc/dev/key", "mmk_1")).toEqual({ Version: 1, Tier: "Standard" });
    expect(await send("GetParameter", { Name: "/svc/dev/key", WithDecryption: true })).toEqual({
      Parameter: {
        ...{ Name: "/svc/dev/key", Type: "SecureString", Value: "mmk_1", Version: 1, DataType: "text" },
        ...{ LastModifiedDate: 1_800_000_000.5, ARN: "arn:aws:ssm:eu-west-1:000000000000:parameter/svc/dev/key" },
      },
    });
    expect(await store.secrets.get(openPrincipal, "/svc/dev/key")).toMatchObject({ value: "mmk_1" });
    await store.secrets.put(openPrincipal, "from-elsewhere", "s3cret");
    const { Parameter } = (await send("GetParameter", { Name: "from-elsewhere" })) as { Parameter: object };
    expect(Parameter).toMatchObject({ Type: "SecureString", Value: expect.not.stringContaining("s3cret") });
  });

  it.each(["String", "StringList"])("of type %s stays one, and needs no decryption", async (Type) => {
    await put("/a", "x,y", { Type });
    expect(await send("GetParameter", { Name: "/a" })).toMatchObject({ Parameter: { Type, Value: "x,y" } });
    await send("PutParameter", { Name: "/a", Value: "z", Overwrite: true });
    expect(await send("GetParameter", { Name: "/a" })).toMatchObject({ Parameter: { Type, Value: "z", Version: 2 } });
  });

  it("that is a SecureString does not show its value to who does not ask for its decryption", async () => {
    await put("/a", "s3cret");
    const Value = "(encrypted: ask for it with WithDecryption)";
    expect(await send("GetParameter", { Name: "/a" })).toMatchObject({ Parameter: { Value } });
    expect(await send("GetParameters", { Names: ["/a"] })).toMatchObject({ Parameters: [{ Value }] });
    expect(await send("GetParametersByPath", { Path: "/" })).toMatchObject({ Parameters: [{ Value }] });
  });

  it("is written over only by who says so, and then keeps its versions", async () => {
    await put("/a", "one");
    await expect(put("/a", "two")).rejects.toMatchObject(errorOf("ParameterAlreadyExists", /"\/a".*Overwrite/));
    expect(await put("/a", "two", { Overwrite: true })).toMatchObject({ Version: 2 });
    const read = (Name: string) => send("GetParameter", { Name, WithDecryption: true });
    expect(await read("/a:1")).toMatchObject({ Parameter: { Value: "one", Version: 1, Selector: ":1", Name: "/a" } });
    expect(await read("/a")).toMatchObject({ Parameter: { Value: "two" } });
    await expect(read("/a:3")).rejects.toMatchObject(
      errorOf("ParameterVersionNotFound", /no version 3; kept are 1 to 2/),
    );
    await expect(read("/a:prod")).rejects.toMatchObject(errorOf("ParameterVersionNotFound", /labels are not offered/));
  });

  it("is found by its ARN, with a slash in front or without, and with a version", async () => {
    await put("/svc/key", "one");
    await put("top", "two");
    const arn = "arn:aws:ssm:us-east-1:123456789012:parameter";
    const read = (Name: string) => send("GetParameter", { Name, WithDecryption: true });
    expect(await read(`${arn}/svc/key`)).toMatchObject({ Parameter: { Name: "/svc/key", Value: "one" } });
    expect(await read(`${arn}/svc/key:1`)).toMatchObject({ Parameter: { Value: "one", Version: 1 } });
    expect(await read(`${arn}/top`)).toMatchObject({ Parameter: { Name: "top", Value: "two" } });
  });

  it("that is not there is not found, and gone when it was deleted", async () => {
    const missing = errorOf("ParameterNotFound", /^parameter "\/a" does not exist/);
    await expect(send("GetParameter", { Name: "/a" })).rejects.toMatchObject(missing);
    await put("/a", "x");
    expect(await send("DeleteParameter", { Name: "/a" })).toEqual({});
    await expect(send("DeleteParameter", { Name: "/a" })).rejects.toMatchObject(missing);
  });

  it.each<[string, object, RegExp]>([
    ["PutParameter", { Name: "/a", Value: "x" }, /"Type": a new parameter must have one/],
    ["PutParameter", { Name: "/a:1", Value: "x", Type: "String" }, /"Name": must not have a ":"/],
    ["PutParameter", { Name: "/a", Value: "x", Type: "Text" }, /"Type"/],
    ["PutParameter", { Name: "/a", Value: "", Type: "String" }, /0 bytes; must be >= 1/],
    ["PutParameter", { Name: "/a", Value: "x", Type: "String", Policies: "[]" }, /Policies/],
    ["GetParameters", { Names: Array.from({ length: 11 }, (_, n) => `/${n}`) }, /"Names"/],
    ["GetParametersByPath", { Path: "svc" }, /"Path": must begin with \//],
    ["GetParametersByPath", { Path: "/", MaxResults: 11 }, /"MaxResults"/],
    ["GetParametersByPath", { Path: "/", NextToken: "L2E=" }, /"NextToken"/],
  ])("call %s with %j is refused by name", async (action, input, message) => {
    await expect(send(action, input)).rejects.toMatchObject(errorOf("ValidationException", message));
  });
});

describe("several parameters", () => {
  it("are read by name; those that are not there are listed", async () => {
    await put("/a", "x");
    await put("/b", "y", { Type: "String" });
    const Names = ["/b", "/nothing", "/a", "/a:7", "/a"];
    expect(await send("GetParameters", { Names, WithDecryption: true })).toMatchObject({
      Parameters: [
        { Name: "/b", Value: "y" },
        { Name: "/a", Value: "x" },
      ],
      InvalidParameters: ["/nothing", "/a:7"],
    });
    expect(await send("DeleteParameters", { Names: ["/a", "/nothing"] })).toEqual({
      ...{ DeletedParameters: ["/a"], InvalidParameters: ["/nothing"] },
    });
  });

  it("are read by path, directly below it or anywhere, page by page", async () => {
    for (let n = 0; n < 12; n++) await put(`/svc/dev/p${String(n).padStart(2, "0")}`, `${n}`, { Type: "String" });
    await put("/svc/dev/deep/er", "x", { Type: "String" });
    await put("/svc/device", "x", { Type: "String" });
    const names = async (input: object) => {
      const found: string[][] = [];
      for (let NextToken: string | undefined, isFirst = true; isFirst || NextToken !== undefined; isFirst = false) {
        const more = NextToken === undefined ? {} : { NextToken };
        const answer = (await send("GetParametersByPath", { ...input, ...more })) as {
          Parameters: { Name: string }[];
          NextToken?: string;
        };
        found.push(answer.Parameters.map(({ Name }) => Name));
        NextToken = answer.NextToken;
      }
      return found;
    };
    expect((await names({ Path: "/svc/dev" })).map(({ length }) => length)).toEqual([10, 2]);
    const all = await names({ Path: "/svc/dev/", Recursive: true, MaxResults: 5 });
    expect(all.map(({ length }) => length)).toEqual([5, 5, 3]);
    expect(new Set(all.flat()).size).toBe(13);
    expect(await names({ Path: "/nothing" })).toEqual([[]]);
    expect(await names({ Path: "/svc" })).toEqual([["/svc/device"]]);
  });

  it("of another environment are there when they are shared and it reads from it", async () => {
    const feature = { ...openPrincipal, environment: "FEAT-X" };
    await store.secrets.put(openPrincipal, "/svc/dev/shared", "from dev", { isShared: true });
    await store.secrets.put(openPrincipal, "/svc/dev/own", "x");
    const Names = ["/svc/dev/shared", "/svc/dev/own"];
    expect(await send("GetParameters", { Names, WithDecryption: true }, feature)).toMatchObject({
      Parameters: [{ Value: "from dev" }],
      InvalidParameters: ["/svc/dev/own"],
    });
    const byPath = await send("GetParametersByPath", { Path: "/svc/dev/", WithDecryption: true }, feature);
    expect(byPath).toMatchObject({ Parameters: [{ Value: "from dev" }] });
    expect(await send("DescribeParameters", {}, feature)).toMatchObject({ Parameters: [{ Name: "/svc/dev/shared" }] });
  });

  it("are those that the caller's grants name; others are denied, or not listed", async () => {
    await put("/svc/a", "x");
    await put("/other", "y");
    const own = reader("/svc/");
    expect(await send("GetParametersByPath", { Path: "/", Recursive: true }, own)).toMatchObject({
      Parameters: [{ Name: "/svc/a" }],
    });
    const denied = errorOf("AccessDeniedException", /may not do secret\.read on secret "\/other"/);
    await expect(send("GetParameters", { Names: ["/svc/a", "/other"] }, own)).rejects.toMatchObject(denied);
    await expect(send("PutParameter", { Name: "/svc/a", Value: "z", Type: "String" }, own)).rejects.toMatchObject({
      code: "AccessDeniedException",
    });
    await expect(send("GetParametersByPath", { Path: "/" }, { ...own, grants: [] })).rejects.toMatchObject({
      code: "AccessDeniedException",
    });
  });
});

it("an action that is not offered is named", async () => {
  await expect(send("LabelParameterVersion", {})).rejects.toMatchObject(
    errorOf("UnknownOperationException", /LabelParameterVersion is not offered/),
  );
  await expect(send("constructor", {})).rejects.toMatchObject({ code: "UnknownOperationException" });
});

it.each<[string, string, boolean, boolean]>([
  ["/a/b", "/a", false, true],
  ["/a/b", "/a/", false, true],
  ["/a/b/c", "/a", false, false],
  ["/a/b/c", "/a", true, true],
  ["/ab", "/a", true, false],
  ["/a", "/a", true, false],
  ["top", "/", false, true],
])("%s is below %s (recursive: %s): %s", (name, path, isRecursive, expected) => {
  expect(isBelow(name, path, isRecursive)).toBe(expected);
});

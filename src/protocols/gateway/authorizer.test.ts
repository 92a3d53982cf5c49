import { describe, expect, it } from "vitest";
import { TodokuError } from "../../domain/errors.ts";
import { WrongAnswer } from "../lambda-events.ts";
import { refusalOf } from "./answers.ts";
import { checkIdentitySources, readAuthorization } from "./authorizer.ts";

const arn = "arn:aws:execute-api:us-east-1:000000000000:dev/push/$connect";
const policyDocument = { Statement: [{ Action: "execute-api:Invoke", Effect: "Allow", Resource: arn }] };
const good = { principalId: "alice", policyDocument };
const read = (answer: unknown) => readAuthorization({ kind: "success", payload: JSON.stringify(answer) }, arn);
const failure = (errorMessage: string) =>
  ({ kind: "error", isHandled: true, payload: JSON.stringify({ errorType: "Error", errorMessage }) }) as const;

/** The status that a client sees. */
function statusOf(act: () => unknown): number | undefined {
  try {
    act();
  } catch (error) {
    return error instanceof TodokuError ? refusalOf(error).status : undefined;
  }
  return 101;
}

describe("identity sources", () => {
  const sources = ["route.request.header.X-Token", "route.request.querystring.app"];
  const check = (headers: Record<string, string>, query: string) =>
    statusOf(() => checkIdentitySources(sources, headers, new URLSearchParams(query)));

  it("must all be there, headers in any spelling", () => {
    expect(check({ "x-token": "t" }, "app=1")).toBe(101);
  });

  it.each([
    [{}, "app=1"],
    [{ "x-token": "" }, "app=1"],
    [{ "x-token": "t" }, ""],
    [{ "x-token": "t" }, "app="],
    [{ "x-token": "t" }, "App=1"],
  ])("%j with the query %j are refused as unauthorised before anybody is asked", (headers, query) => {
    expect(check(headers as Record<string, string>, query)).toBe(401);
  });
});

describe("an authorizer's answer", () => {
  it("names the user, and says more of them in texts", () => {
    const context = { tenant: "blue", level: 5, admin: false };
    expect(read({ ...good, context })).toEqual({
      userId: "alice",
      context: { tenant: "blue", level: "5", admin: "false" },
    });
    expect(read(good)).toEqual({ userId: "alice", context: {} });
  });

  it("that does not allow the connection is 403, an error Unauthorized 401, any other error 500", () => {
    const denied = { Statement: [{ ...policyDocument.Statement[0], Effect: "Deny" }] };
    expect(statusOf(() => read({ ...good, policyDocument: denied }))).toBe(403);
    expect(statusOf(() => readAuthorization(failure("Unauthorized"), arn))).toBe(401);
    expect(statusOf(() => readAuthorization(failure("unauthorized"), arn))).toBe(500);
  });

  it.each([
    ["is null", null],
    ["has no policy", { principalId: "alice" }],
    ["has no principal", { policyDocument }],
    ["has a principal that is no text", { ...good, principalId: 5 }],
    ["has a principal that is no id of a user", { ...good, principalId: "a\nb" }],
    ["has a context with a list", { ...good, context: { roles: ["a"] } }],
    ["has a context with null", { ...good, context: { role: null } }],
    ["has a context past 8 KB", { ...good, context: { text: "x".repeat(8192) } }],
  ])("is none when it %s", (_, answer) => {
    expect(() => read(answer)).toThrow(WrongAnswer);
  });

  it("is none when it is no JSON", () => {
    expect(() => readAuthorization({ kind: "success", payload: "{" }, arn)).toThrow(WrongAnswer);
  });
});

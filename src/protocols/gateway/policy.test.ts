import { describe, expect, it } from "vitest";
import { policyAllows } from "./policy.ts";

const arn = "arn:aws:execute-api:us-east-1:000000000000:dev/push/$connect";
const allow = { Action: "execute-api:Invoke", Effect: "Allow", Resource: arn };
const deny = { ...allow, Effect: "Deny" };
const policyOf = (...Statement: readonly unknown[]) => ({ Version: "2012-10-17", Statement });

describe("a policy", () => {
  it.each([
    ["names the route", allow],
    ["names every route of the API", { ...allow, Resource: "arn:aws:execute-api:*:*:dev/*" }],
    ["names everything", { ...allow, Action: "*", Resource: ["*"] }],
    ["has a question mark for a character", { ...allow, Resource: arn.replace("dev", "de?") }],
    ["writes the action in its own way", { ...allow, Action: ["execute-api:Manage*", "Execute-API:INVOKE"] }],
    ["names its statement", { ...allow, Sid: "one" }],
  ])("allows when a statement %s", (_, statement) => {
    expect(policyAllows(policyOf(statement), arn)).toBe(true);
    expect(policyAllows({ Statement: statement }, arn)).toBe(true);
  });

  it.each([
    ["denies it", policyOf(deny)],
    ["denies it, whatever another one allows", policyOf(allow, { ...deny, Resource: "*" })],
    ["is for another route", policyOf({ ...allow, Resource: arn.replace("$connect", "order") })],
    ["is for another action", policyOf({ ...allow, Action: "execute-api:ManageConnections" })],
    ["names a part of the resource", policyOf({ ...allow, Resource: "arn:aws:execute-api:us-east-1" })],
  ])("does not allow when a statement %s", (_, policy) => {
    expect(policyAllows(policy, arn)).toBe(false);
  });

  it.each([
    ["is missing", undefined],
    ["is a text", "Allow"],
    ["has no statement", {}],
    ["has an empty list of statements", policyOf()],
    ["has a statement that is none", policyOf("Allow")],
    ["has an effect that there is not", policyOf({ ...allow, Effect: "allow" })],
    ["has no resource", policyOf({ ...allow, Resource: undefined })],
    ["has a resource that is no text", policyOf({ ...allow, Resource: [1] })],
    ["has a condition, which is not understood", policyOf({ ...allow, Condition: {} })],
    ["says what it is not for", policyOf({ Effect: "Allow", NotAction: "x", Resource: "*" })],
  ])("is none when it %s", (_, policy) => {
    expect(policyAllows(policy, arn)).toBeUndefined();
  });
});

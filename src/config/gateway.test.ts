import { describe, expect, it } from "vitest";
import { gatewaySchema } from "./gateway.ts";

const parse = (endpoint: object) => gatewaySchema.safeParse({ endpoints: [{ path: "/push", ...endpoint }] });
const problemOf = (endpoint: object) =>
  parse(endpoint).error?.issues.map(({ path, message }) => `${path.slice(2).join(".")}: ${message}`);
const source = "route.request.querystring.authorization";

describe("the routes of an endpoint", () => {
  it("may be handlers, also those before and behind a connection", () => {
    const handler = { handler: "app" };
    const routes = { $connect: handler, $disconnect: handler, $default: handler, order: "send", ping: handler };
    expect(parse({ routes }).data?.endpoints[0]?.routes).toEqual(routes);
  });

  it.each([
    [{ $connect: "publish" }, "routes.$connect: must be a handler, like {handler: name}"],
    [{ $disconnect: "send" }, "routes.$disconnect: must be a handler, like {handler: name}"],
    [{ order: { handler: "a b" } }, "routes.order.handler: must be 1 to 64 of A-Z, a-z, 0-9, - and _"],
    [{ order: "notify" }, "routes.order: must be publish, send or {handler: name}"],
    [{ $other: "send" }, expect.stringMatching(/^routes\.\$other:/)],
  ])("may not be %j", (routes, problem) => {
    expect(problemOf({ routes })).toEqual([problem]);
  });
});

describe("the authorizer of an endpoint", () => {
  it("says where credentials are", () => {
    const authorizer = { handler: "guard", identitySource: [source, "route.request.header.X-Token"] };
    expect(parse({ authorizer }).data?.endpoints[0]?.authorizer).toEqual(authorizer);
  });

  it.each([
    [{ authorizer: { handler: "guard", identitySource: [] } }],
    [{ authorizer: { handler: "guard" } }],
    [{ authorizer: { handler: "guard", identitySource: ["$request.header.Authorization"] } }],
    [{ authorizer: { handler: "guard", identitySource: [source] }, hook: { url: "https://app.example" } }],
  ])("may not be that of %j", (endpoint) => {
    expect(problemOf(endpoint)).toHaveLength(1);
  });
});

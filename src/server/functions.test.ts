// What the configuration of functions may not say, with the places that the sentences name.
import { describe, expect, it } from "vitest";
import { type ConfigInput, configSchema, type Mode } from "../config/schema.ts";
import { createFunctions } from "./functions.ts";
import { createGateway } from "./gateway.ts";

const route = { "GET /": { handler: "app" } };
const url = "http://127.0.0.1:1/";

/** What the schema says against it. */
function problemsOf(functions: ConfigInput["functions"]): readonly string[] {
  const { error } = configSchema.safeParse({ functions });
  return error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
}

/** What the server says when it begins with it. */
function refusalOf(config: ConfigInput, mode: Mode = "dev"): string {
  try {
    // It is thrown before anything else is looked at.
    createFunctions({ mode, config: configSchema.parse(config) } as unknown as Parameters<typeof createFunctions>[0]);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

describe("the path of a REST API", () => {
  it.each(["/v1", "/v1/x", "/functions", "/health", "/metrics", "/cache/x", "/000000000000", "/2015-03-31"])(
    "may not be %s, which is the server's own",
    (path) => {
      expect(problemsOf({ restApis: [{ path, routes: route }] })).toEqual([
        "functions.restApis.0.path: is a path of the server's own",
      ]);
    },
  );

  it.each(["/", "dev", "/dev/", "/a b", "/a?b"])("may not be %s", (path) => {
    expect(problemsOf({ restApis: [{ path, routes: route }] })).toHaveLength(1);
  });

  it.each([
    ["/dev", "/dev"],
    ["/dev", "/dev/more"],
    ["/dev/more", "/dev"],
  ])("may not be %s beside %s", (one, other) => {
    const restApis = [one, other].map((path) => ({ path, routes: route }));
    expect(problemsOf({ restApis })).toEqual([expect.stringContaining("inside that of functions.restApis[0]")]);
  });

  it("may begin like another one", () => {
    expect(problemsOf({ restApis: ["/dev", "/dev2"].map((path) => ({ path, routes: route })) })).toEqual([]);
  });

  it("may not hold an endpoint of the gateway", () => {
    const functions = { restApis: [{ path: "/push", routes: route }] };
    expect(refusalOf({ functions })).toContain("functions.restApis[0].path: /push of gateway.endpoints is inside");
  });
});

it("the route of a REST API has a method and a path", () => {
  const routes = { "POST task": { handler: "app" } };
  expect(problemsOf({ restApis: [{ path: "/dev", routes }] })).toEqual([expect.stringContaining("restApis.0.routes")]);
});

it("handlers of several environments with URLs need to be told apart", () => {
  const handlers = {
    one: { url, environment: "a", functionUrl: "none" as const },
    two: { url, environment: "b", functionUrl: "none" as const },
  };
  expect(refusalOf({ handlers })).toContain("functions.environment: must be given");
});

it("the routes of a REST API are of an environment, which only dev mode knows by itself", () => {
  const functions = { restApis: [{ path: "/dev", routes: route }] };
  expect(refusalOf({ functions }, "production")).toContain("functions.restApis[0].environment: must be given");
  expect(
    refusalOf({ functions: { restApis: [{ path: "/dev", routes: route, environment: "prod" }] } }, "production"),
  ).toBe("");
  expect(refusalOf({ functions })).toBe("");
});

it("an authorizer is of an environment, which only dev mode knows by itself", () => {
  const authorizer = { handler: "guard", identitySource: ["route.request.header.X-Token"] };
  const config = configSchema.parse({ gateway: { endpoints: [{ path: "/push", authorizer }] } });
  const parts = { mode: "production", config } as unknown as Parameters<typeof createGateway>[0];
  expect(() => createGateway(parts)).toThrow("gateway.endpoints[0].environment: must be given");
});

import { expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../config/schema.ts";
import { unknownHandlers } from "./handler-names.ts";

const here = { command: ["node:./a.handler"] };
const warningsOf = (config: ConfigInput, mode: "dev" | "production" = "dev") =>
  unknownHandlers(configSchema.parse({ handlers: { here, other: { ...here, environment: "prod" } }, ...config }), mode);

it("a handler that a route, an authorizer or $connect names is looked for in its environment, and missed by name", () => {
  const restApi = { path: "/dev", routes: { "GET /a": { handler: "here" }, "POST /b": { handler: "none" } } };
  const routes = { $connect: { handler: "gone" }, order: { handler: "other" }, a: "publish" } as const;
  const authorizer = { handler: "who", identitySource: ["route.request.querystring.a"] };
  const endpoints = [
    { path: "/push", routes, authorizer, environment: "dev" },
    { path: "/any", routes: { a: { handler: "other" } } },
  ];
  expect(warningsOf({ functions: { restApis: [restApi] }, gateway: { endpoints } })).toEqual([
    `functions.restApis[0].routes["POST /b"]: there is no handler "none" of environment "dev": configure it, or attach it: todoku handler run none`,
    `gateway.endpoints[0].routes["$connect"]: there is no handler "gone" of environment "dev": configure it, or attach it: todoku handler run gone`,
    `gateway.endpoints[0].routes["order"]: there is no handler "other" of environment "dev", which is one of environment "prod": configure it, or attach it: todoku handler run other`,
    `gateway.endpoints[0].authorizer: there is no handler "who" of environment "dev": configure it, or attach it: todoku handler run who`,
  ]);
});

it("who connects may be of any environment where the endpoint names none", () => {
  const endpoints = [{ path: "/push", routes: { a: { handler: "none" } } }];
  expect(warningsOf({ gateway: { endpoints } })).toEqual([
    `gateway.endpoints[0].routes["a"]: there is no handler "none": configure it, or attach it: todoku handler run none`,
  ]);
});

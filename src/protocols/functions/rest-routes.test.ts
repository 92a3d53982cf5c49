import { describe, expect, it } from "vitest";
import { restRoutePattern } from "../../lib/rest-route.ts";
import { RestRoutes } from "./rest-routes.ts";

/** Each route's handler is its own key. */
function routesOf(...keys: readonly string[]): RestRoutes {
  return new RestRoutes(Object.fromEntries(keys.map((key) => [key, { handler: key, auth: "none" }])));
}

const routes = routesOf(
  ...["ANY /{proxy+}", "GET /task/{id}", "POST /task", "GET /task/mine", "ANY /task", "GET /", "GET /a/{b}/c"],
  ...["DELETE /files/{path+}"],
);

describe("routes of a REST API", () => {
  it.each([
    ["POST", "/task", "POST /task", {}],
    ["GET", "/task", "ANY /task", {}],
    ["GET", "/task/mine", "GET /task/mine", {}],
    ["GET", "/task/5", "GET /task/{id}", { id: "5" }],
    ["GET", "/task/a%20b%2Fc", "GET /task/{id}", { id: "a b/c" }],
    ["PUT", "/task/5", "ANY /{proxy+}", { proxy: "task/5" }],
    ["GET", "/a/x/c", "GET /a/{b}/c", { b: "x" }],
    ["DELETE", "/files/a/b.txt", "DELETE /files/{path+}", { path: "a/b.txt" }],
    ["GET", "/", "GET /", {}],
  ])("give %s %s to %s with %j", (method, path, handler, pathParameters) => {
    const [, resource] = handler.split(" ");
    expect(routes.find(method, path)).toEqual({ handler, auth: "none", resource, pathParameters });
  });

  it("have nothing where nothing fits, and say which methods there are", () => {
    const few = routesOf("POST /task", "GET /task", "GET /task/{id}");
    expect(few.find("PUT", "/task")).toBeUndefined();
    expect(few.methodsOf("/task")).toEqual(["POST", "GET"]);
    for (const path of ["/tasks", "/task/", "/task/5/6", "/", "/Task"]) expect(few.methodsOf(path)).toEqual([]);
  });

  it("refuse what stands for a name and is not encoded as an address", () => {
    expect(() => routes.find("GET", "/task/%zz")).toThrow(URIError);
  });

  it.each(["POST /task", "GET /", "ANY /a/{id}/b/{rest+}", "GET /{proxy+}", "DELETE /a.b/~c"])("may be %s", (key) => {
    expect(restRoutePattern.test(key)).toBe(true);
  });

  it.each(["/task", "FETCH /task", "POST task", "POST /task/", "GET /{rest+}/more", "GET /a{b}", "GET /a?b"])(
    "may not be %s",
    (key) => {
      expect(restRoutePattern.test(key)).toBe(false);
    },
  );
});

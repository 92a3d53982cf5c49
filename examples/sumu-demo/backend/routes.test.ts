import { expect, it } from "vitest";
import { aDelivery, newSecret } from "../../course-comments/testing/delivery.ts";
import { KeptText } from "../../task-notifications/shared/kept-text.ts";
import { aTestIssuer } from "../../task-notifications/testing/issuer.ts";
import { silentLog } from "../../task-notifications/testing/log.ts";
import { DisplayNames } from "./display-names.ts";
import { toPageSettings } from "./page-settings.ts";
import { createRoutes } from "./routes.ts";

const attributes = { user_id: { type: "String", value: "alice" } };

function aBackend(issuer = "https://id.example.com") {
  const secret = newSecret();
  const taken: unknown[] = [];
  const state = { isAway: false };
  const displayNames = new DisplayNames();
  const settings = { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: "task-notifications", GATEWAY_PATH: "/push" };
  const routes = createRoutes({
    page: toPageSettings(settings, "https://todoku.example.com"),
    pageDirectory: "/nowhere",
    signingSecret: new KeptText({ name: "signing", read: async () => secret, log: silentLog }),
    displayNames,
    async take(...given) {
      if (state.isAway) throw new Error("away");
      taken.push(given);
    },
    log: silentLog,
  });
  const deliver = ({ body, headers }: ReturnType<typeof aDelivery>) =>
    routes.request("/webhooks/messages", { method: "POST", body, headers });
  return { routes, secret, taken, state, displayNames, deliver };
}

it("takes what Todoku has signed, with its attributes, and says 503 when that has to come again", async () => {
  const { secret, taken, state, deliver } = aBackend();
  const delivery = aDelivery(secret, "{}", { webhookId: "msg_1", payload: { attributes } });
  state.isAway = true;
  expect((await deliver(delivery)).status).toBe(503);
  state.isAway = false;
  expect((await deliver(delivery)).status).toBe(204);
  expect(taken).toEqual([["msg_1", "{}", attributes]]);
});

it("refuses what Todoku has not signed, and passes over its own tests", async () => {
  const { secret, taken, deliver } = aBackend();
  const delivery = aDelivery(secret, "{}", { payload: { attributes } });
  expect((await deliver(aDelivery(newSecret(), "{}"))).status).toBe(401);
  expect((await deliver({ ...delivery, body: delivery.body.replace("alice", "bobby") })).status).toBe(401);
  expect((await deliver(aDelivery(secret, "{}", { webhookId: "msg_test_1" }))).status).toBe(204);
  expect(taken).toEqual([]);
});

it("learns a name from an ID token of its issuer only", async () => {
  await using issuer = await aTestIssuer();
  const { routes, displayNames } = aBackend(issuer.url);
  const tell = async (token: string) =>
    (await routes.request("/name", { method: "POST", headers: { authorization: `Bearer ${token}` } })).status;
  expect(await tell(await issuer.token("alice", { claims: { name: " Ali\u0000ce\u202e " } }))).toBe(204);
  expect(displayNames.get("alice")).toBe("Alice");
  expect(await tell(await issuer.token("bob", { claims: { name: "Eve", aud: "another" } }))).toBe(401);
  expect(await tell("rubbish")).toBe(401);
  expect(displayNames.get("bob")).toBeUndefined();
});

it("tells the page where to connect, and with Firebase whose project", async () => {
  const settings = { OIDC_ISSUER: "https://securetoken.google.com/p1", OIDC_CLIENT_ID: "p1", GATEWAY_PATH: "/live" };
  expect(toPageSettings(settings, "http://127.0.0.1:8080")).toEqual({
    issuer: "https://securetoken.google.com/p1",
    clientId: "p1",
    gatewayUrl: "ws://127.0.0.1:8080/live",
  });
  const firebase = { ...settings, FIREBASE_API_KEY: "k", TODOKU_PUBLIC_URL: "https://todoku.example.com" };
  expect(toPageSettings(firebase, "http://127.0.0.1:8080")).toMatchObject({
    gatewayUrl: "wss://todoku.example.com/live",
    firebase: { apiKey: "k", authDomain: "p1.firebaseapp.com", projectId: "p1" },
  });
});

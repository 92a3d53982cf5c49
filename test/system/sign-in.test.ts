// A person signs in at a real OpenID provider; its id token opens the server, which knows nothing but the provider's address.
import { decodeJwt } from "jose";
import { expect, it } from "vitest";
import { anIdp, clientId, signIn } from "../../examples/dev-idp/test/visitor.ts";
import { JsonApi } from "../support/json-api.ts";
import { aServer } from "../support/server.ts";
import { follow } from "../support/sse.ts";

it("lets somebody who has signed in at an OpenID provider follow the own topic, and nobody else's", async () => {
  const { issuer } = await anIdp();
  await using server = await aServer({ gateway: { authorizers: [{ issuer, audiences: [clientId] }] } });
  const operator = new JsonApi(server.port);
  await operator.post("/v1/caches", { name: "notifications" });
  const { id_token } = await signIn(issuer);
  const { sub } = decodeJwt(id_token);
  const headers = { authorization: `Bearer ${id_token}` };
  const own = await follow(`${server.url}/v1/topics/notifications/${sub}`, headers);
  await operator.post(`/v1/topics/notifications/${sub}`, { text: "welcome" });
  expect(await own.nextData()).toMatchObject({ text: "welcome" });
  own.close();
  const others = await follow(`${server.url}/v1/topics/notifications/bob`, headers);
  expect(others.response.status).toBe(403);
});

import { z } from "zod";
import {
  changesSchema,
  createdEnvironmentSchema,
  environmentParameter,
  environmentSchema,
  newEnvironmentSchema,
  ownEnvironmentSchema,
} from "./environment-codec.ts";
import { createdKeySchema, newKeySchema, toCreatedKeyJson, toKeyRequest } from "./key-codec.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const path = z.object({ environment: environmentParameter });

/** `/v1/environments`, for operators, and the caller's own `/v1/environment`. */
export const environmentRoutes: Routes = {
  "/v1/environment": {
    GET: operation({
      id: "getOwnEnvironment",
      tag: "environments",
      summary: "Say which environment the credential is of",
      answers: { 200: { description: "The caller's own", schema: ownEnvironmentSchema } },
      handle({ principal: { environment }, context, parts }) {
        return context.json({ name: environment, settings: parts.environments.known(environment)?.settings ?? {} });
      },
    }),
  },
  "/v1/environments": {
    GET: operation({
      id: "listEnvironments",
      tag: "environments",
      summary: "List all environments, by name",
      answers: {
        200: { description: "The environments", schema: z.object({ environments: z.array(environmentSchema) }) },
      },
      handle: ({ principal, context, parts }) => context.json({ environments: parts.environments.list(principal) }),
    }),
    POST: operation({
      id: "createEnvironment",
      tag: "environments",
      summary: "Create an environment, and a super-user key of it",
      description:
        "With `from` it begins with the settings, caches, queues and event topics of another, all of them empty; keys, secrets and data are never copied.",
      body: newEnvironmentSchema,
      answers: { 201: { description: "The new environment and its first key", schema: createdEnvironmentSchema } },
      async handle({ principal, body: { name, ...request }, context, parts }) {
        const environment = await parts.environments.create(principal, name, request);
        const first = { description: "made with the environment", isSuperUser: true, grants: [] };
        const made = await parts.keys.create(principal, first, name);
        return context.json({ ...environment, key: toCreatedKeyJson(made, parts.endpoint()) }, 201);
      },
    }),
  },
  "/v1/environments/:environment": {
    PATCH: operation({
      id: "updateEnvironment",
      tag: "environments",
      summary: "Change an environment's settings, or whose shared secrets it may read",
      path,
      body: changesSchema,
      answers: { 200: { description: "The environment as it is from now on", schema: environmentSchema } },
      async handle({ principal, path: { environment }, body, context, parts }) {
        return context.json(await parts.environments.update(principal, environment, body));
      },
    }),
    DELETE: operation({
      id: "destroyEnvironment",
      tag: "environments",
      summary: "Destroy an environment with all that is in it",
      description:
        "Its credentials are refused and its streams end at once; the answer comes when nothing of it is left in the store. A server that " +
        "stops meanwhile goes on at its next start. `failed_precondition` for the environment of one's own credential.",
      path,
      answers: { 204: { description: "Nothing is left" } },
      async handle({ principal, path: { environment }, context, parts }) {
        await parts.environments.destroy(principal, environment);
        return context.body(null, 204);
      },
    }),
  },
  "/v1/environments/:environment/keys": {
    POST: operation({
      id: "createKeyOfEnvironment",
      tag: "environments",
      summary: "Create an API key of any environment: how an operator gets to act in it",
      path,
      body: newKeySchema,
      answers: { 201: { description: "The new key", schema: createdKeySchema } },
      async handle({ principal, path: { environment }, body, context, parts }) {
        const made = await parts.keys.create(principal, toKeyRequest(body), environment);
        return context.json(toCreatedKeyJson(made, parts.endpoint()), 201);
      },
    }),
  },
};

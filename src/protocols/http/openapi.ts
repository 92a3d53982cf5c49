import type { z } from "zod";
import { problemSchema } from "./errors.ts";
import { type Answer, type Operation, tags } from "./operation.ts";
import type { Routes } from "./routes.ts";
import { Schemas } from "./schemas.ts";

/** An OpenAPI 3.1 document, as far as its readers here look into it. */
export interface OpenApiDocument {
  readonly openapi: "3.1.1";
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly operationId: string; readonly security: readonly object[] }>>>
  >;
  readonly components: Readonly<Record<"securitySchemes" | "responses" | "schemas", Readonly<Record<string, object>>>>;
  readonly [field: string]: unknown;
}

const description =
  "Errors are problem details (RFC 9457) with a stable `code`. Unknown fields of a request are refused; answers may get more fields. " +
  "Seconds may have up to three decimals. `HEAD` is answered wherever `GET` is, but for event streams; `OPTIONS` below `/v1/`.";

const securitySchemes = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description:
      "An API key or a token. In dev mode it may be missing: then the caller is the super user of the environment `dev`, but only from " +
      "this machine, under a loopback name, and not from a web page of another origin.",
  },
  ticket: {
    type: "apiKey",
    in: "query",
    name: "ticket",
    description: "For GET only, instead of `bearer`, for callers that cannot send a header. See `POST /v1/tickets`.",
  },
};

/**
 * The OpenAPI 3.1 description of `routes`.
 * @throws Error when an operation contradicts itself: a path parameter that is not described, an id or a schema's id used for two.
 */
export function buildOpenApi(routes: Routes, version: string): OpenApiDocument {
  const schemas = new Schemas();
  const ids = new Set<string>();
  const paths: Record<string, Record<string, ReturnType<typeof toOperationObject>>> = {};
  for (const [path, operations] of Object.entries(routes)) {
    const entries = Object.entries(operations).map(([method, operation]) => {
      checkOperation(operation, path, ids);
      return [method.toLowerCase(), toOperationObject(operation, method, schemas)] as const;
    });
    paths[path.replaceAll(/:(\w+)/g, "{$1}")] = Object.fromEntries(entries);
  }
  const problem = schemas.add(problemSchema, "output");
  const used = new Set(Object.values(routes).flatMap((operations) => Object.values(operations).map(({ tag }) => tag)));
  return {
    openapi: "3.1.1",
    info: {
      title: "Todoku",
      summary: "Self-hosted real-time notification platform",
      description,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      version,
    },
    servers: [{ url: "/" }],
    tags: Object.entries(tags).flatMap(([name, text]) =>
      used.has(name as keyof typeof tags) ? [{ name, description: text }] : [],
    ),
    paths,
    components: {
      securitySchemes,
      responses: {
        Problem: { description: "What went wrong", content: { "application/problem+json": { schema: problem } } },
      },
      schemas: schemas.named(),
    },
  };
}

function checkOperation({ id, path }: Operation, route: string, ids: Set<string>): void {
  if (ids.has(id)) throw new Error(`two operations have the id ${id}`);
  ids.add(id);
  const inRoute = [...route.matchAll(/:(\w+)/g)].map(([, name]) => name);
  const described = Object.keys(path?.shape ?? {});
  if (inRoute.join() !== described.join()) {
    throw new Error(`${id}: the path has the parameters [${inRoute}], described are [${described}]`);
  }
}

function toOperationObject(operation: Operation, method: string, schemas: Schemas) {
  const { id, tag, summary, description, caller, body, answers } = operation;
  const known = [{ bearer: [] }, ...(method === "GET" ? [{ ticket: [] }] : []), {}];
  const parameters = toParameters(operation, schemas);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: caller === "none" ? [] : known,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body
      ? { requestBody: { required: true, content: { "application/json": { schema: schemas.add(body, "input") } } } }
      : {}),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, toResponse(answer, schemas)])),
      default: { $ref: "#/components/responses/Problem" },
    },
  };
}

function toParameters({ path, query, headers }: Operation, schemas: Schemas) {
  return Object.entries({ path, query, header: headers }).flatMap(([place, fields]) =>
    Object.entries(fields?.shape ?? {}).map(([name, field]) => {
      const { description, ...schema } = schemas.add(field as z.ZodType, "input");
      const isOptional = (field as z.ZodType).safeParse(undefined).success;
      return { name, in: place, required: !isOptional, ...(description === undefined ? {} : { description }), schema };
    }),
  );
}

function toResponse({ description, schema, mediaType }: Answer, schemas: Schemas) {
  if (!schema && mediaType === undefined) return { description };
  const content = { schema: schema ? schemas.add(schema, "output") : { type: "string" } };
  return { description, content: { [mediaType ?? "application/json"]: content } };
}

import type { Handlers } from "../../domain/handlers/handlers.ts";
import type { FunctionAuth, FunctionsSettings, RestApiSettings, TrustedOrigins } from "./options.ts";
import { type FoundRoute, RestRoutes } from "./rest-routes.ts";

/** What a request is for. */
export interface Target {
  readonly environment: string;
  readonly handler: string;
  readonly auth: FunctionAuth;
  /** Behind what names the function or the API; not decoded. */
  readonly path: string;
  /** Undefined: it is a function URL. */
  readonly rest?: { readonly stagePath: string; readonly route: FoundRoute };
}

/** A place that requests may be for, whether or not there is something. */
export interface Place {
  /** Whose pages may call. */
  readonly origins: readonly string[];
  readonly trustedOrigins: TrustedOrigins;
  /** That may be asked for here; none: there is nothing. */
  readonly methods: readonly string[];
  /** Undefined: there is nothing for this method. @throws URIError: the path is not encoded as an address. */
  find(): Target | undefined;
}

const functionPath = /^\/functions\/([^/]+)(\/.*)?$/;
const allMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Finds out what paths are for. */
export class Places {
  readonly #settings: FunctionsSettings;
  readonly #handlers: Pick<Handlers, "get">;
  readonly #apis: readonly (RestApiSettings & { readonly compiled: RestRoutes })[];

  constructor(settings: FunctionsSettings, handlers: Pick<Handlers, "get">) {
    this.#settings = settings;
    this.#handlers = handlers;
    this.#apis = settings.restApis.map((api) => ({ ...api, compiled: new RestRoutes(api.routes) }));
  }

  /** Undefined: the path is somebody else's. */
  at(method: string, path: string): Place | undefined {
    if (path === "/functions" || path.startsWith("/functions/")) return this.#functionAt(path);
    const api = this.#apis.find((one) => path === one.path || path.startsWith(`${one.path}/`));
    if (!api) return undefined;
    const { origins, trustedOrigins, compiled, environment, path: stagePath } = api;
    const rest = path.slice(stagePath.length) || "/";
    return {
      origins,
      trustedOrigins,
      methods: compiled.methodsOf(rest),
      find() {
        const route = compiled.find(method, rest);
        return (
          route && { environment, handler: route.handler, auth: route.auth, path: rest, rest: { stagePath, route } }
        );
      },
    };
  }

  #functionAt(path: string): Place {
    const { environment, origins, trustedOrigins } = this.#settings;
    const [, handler = "", rest = "/"] = functionPath.exec(path) ?? [];
    const url =
      environment === undefined ? undefined : this.#handlers.get(environment, handler)?.definition.functionUrl;
    const target = environment === undefined || !url ? undefined : { environment, handler, auth: url.auth, path: rest };
    return { origins, trustedOrigins, methods: target ? allMethods : [], find: () => target };
  }
}

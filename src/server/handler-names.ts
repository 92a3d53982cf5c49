import type { Config, Mode } from "../config/schema.ts";
import { openPrincipal } from "../domain/auth/open-access.ts";

type NamingConfig = Pick<Config, "functions" | "gateway" | "handlers">;

/** A place of the configuration that names a handler. `environment`: whose; undefined: that of whoever connects. */
interface Mention {
  readonly place: string;
  readonly handler: string;
  readonly environment: string | undefined;
}

/** Sentences about handlers that are named and not configured: they may be attached later, so a start does not refuse them. */
export function unknownHandlers(config: NamingConfig, mode: Mode): readonly string[] {
  const ofMode = mode === "dev" ? openPrincipal.environment : undefined;
  const known = Object.entries(config.handlers).map(([name, { environment = ofMode }]) => ({ name, environment }));
  return [...ofRestApis(config, ofMode), ...ofGateway(config)].flatMap(({ place, handler, environment }) => {
    const named = known.filter(({ name }) => name === handler);
    if (named.some((one) => environment === undefined || one.environment === environment)) return [];
    const [elsewhere] = named;
    const where = elsewhere === undefined ? "" : `, which is one of environment "${elsewhere.environment}"`;
    const whose = environment === undefined ? "" : ` of environment "${environment}"`;
    return [
      `${place}: there is no handler "${handler}"${whose}${where}: configure it, or attach it: todoku handler run ${handler}`,
    ];
  });
}

function ofRestApis({ functions }: NamingConfig, ofMode: string | undefined): readonly Mention[] {
  return functions.restApis.flatMap(({ environment = ofMode, routes }, i) =>
    Object.entries(routes).map(([route, { handler }]) => {
      return { place: `functions.restApis[${i}].routes["${route}"]`, handler, environment };
    }),
  );
}

function ofGateway({ gateway }: NamingConfig): readonly Mention[] {
  return gateway.endpoints.flatMap(({ environment, routes, authorizer }, i) => {
    const place = `gateway.endpoints[${i}]`;
    const ofRoutes = Object.entries(routes).flatMap(([route, target]) => {
      return typeof target === "string" ? [] : [{ place: `${place}.routes["${route}"]`, ...target, environment }];
    });
    const ofAuthorizer = authorizer ? [{ place: `${place}.authorizer`, handler: authorizer.handler, environment }] : [];
    return [...ofRoutes, ...ofAuthorizer];
  });
}

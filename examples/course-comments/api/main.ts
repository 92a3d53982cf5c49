// `node examples/course-comments/api/main.ts`: the API as a process. What it takes from the environment is in the README.
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { createLog, runProcess } from "../../task-notifications/shared/processes.ts";
import { httpUrl, readSettings, wholeNumber } from "../../task-notifications/shared/settings.ts";
import { keyFileIn, readExampleSettings } from "../shared/settings.ts";
import { startApi } from "./start-api.ts";

const settingsSchema = z.object({
  HOST: z.string().default("127.0.0.1"),
  PORT: wholeNumber(0, 65_535).default(3000),
  // Not httpUrl: it would take away a trailing slash, which belongs to the names of some issuers.
  OIDC_ISSUER: z.url({ protocol: /^https?$/, error: "must be the address of an OpenID Connect issuer" }),
  OIDC_CLIENT_ID: z.string({ error: "must be the client id of the page" }),
  TODOKU_PUBLIC_URL: httpUrl().optional(),
  TODOKU_KEY_FILE: z.string().optional(),
});

await runProcess(async () => {
  const common = readExampleSettings(process.env);
  const settings = readSettings(settingsSchema, process.env);
  const api = await startApi(
    {
      host: settings.HOST,
      port: settings.PORT,
      issuer: settings.OIDC_ISSUER,
      clientId: settings.OIDC_CLIENT_ID,
      todokuUrl: common.todokuUrl,
      todokuPublicUrl: settings.TODOKU_PUBLIC_URL,
      keyFile: settings.TODOKU_KEY_FILE ?? keyFileIn(common.stateDir, "api"),
      pageDirectory: fileURLToPath(new URL("../web/dist", import.meta.url)),
    },
    createLog("api", common.logLevel),
  );
  process.stdout.write(`API listens on ${api.url}\n`);
  return api;
});

// `npm start`: Todoku in dev mode with the example application on top of it. Of the flags after `npm start --`, `--stage` and
// `--secrets-stage` choose the application's environment, the others go to `todoku dev`; PAGE_PORT and IDP_PORT choose the other ports;
// with OIDC_ISSUER and OIDC_CLIENT_ID the page signs in there.
import { join } from "node:path";
import { stateDirName } from "../examples/task-notifications/shared/names.ts";
import { setUp } from "../examples/task-notifications/shared/set-up.ts";
import { readCommonSettings, readStageOptions } from "../examples/task-notifications/shared/settings.ts";
import { Child, type ChildPlan, repositoryPath, StartFailure } from "./start/child.ts";
import { buildPage } from "./start/page.ts";

// A variable that is set to nothing counts as not set.
const { PAGE_PORT, IDP_PORT, OIDC_ISSUER, OIDC_CLIENT_ID, STATE_DIR } = process.env;
const [pagePort, idpPort] = [PAGE_PORT || "3000", IDP_PORT || "3001"];
const clientId = OIDC_CLIENT_ID || "task-notifications";
// Children get no key of the environment: each has one of its own, in a file that the set-up knows, or needs none.
const { TODOKU_API_KEY: environmentKey, TODOKU_KEY_FILE, ...environment } = process.env;
environment.LOG_LEVEL ||= "warn";

/** In the order in which they end. */
const children: Child[] = [];

/** Says which variable or flag chooses another port. */
async function start(plan: ChildPlan, port: string, choice: string): Promise<string> {
  const child = new Child(plan);
  children.unshift(child);
  try {
    return await child.start();
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    // Todoku says so itself.
    if (error.isPortTaken && port !== "")
      process.stderr.write(`error: port ${port} is taken: choose another with ${choice}\n`);
    process.stdout.write(error.stdout && `${error.stdout}\n`);
    throw error;
  }
}

// A URL leaves the port of its scheme out.
const portOf = (url: string | undefined, first: string) => (url === undefined ? first : new URL(url).port || "80");

/** Todoku's greeting. */
function startTodoku(flags: readonly string[]): Promise<string> {
  const plan: ChildPlan = {
    name: "todoku",
    file: repositoryPath("src/cli/main.ts"),
    args: (url) => ["dev", ...flags, ...(url === undefined ? [] : ["--port", portOf(url, "")])],
    env: () => environment,
    ready: /^ {2}data /,
  };
  return start(plan, "", "");
}

/** The issuer. */
async function startIdentityProvider(dataDir: string): Promise<string> {
  const plan: ChildPlan = {
    name: "dev-idp",
    file: repositoryPath("examples/dev-idp/main.ts"),
    args: () => [],
    env: (url) => ({
      ...environment,
      HOST: "127.0.0.1",
      PORT: portOf(url, idpPort),
      DATA_DIR: join(dataDir, "dev-idp"),
    }),
    ready: /^Identity provider listens on /,
  };
  return lastWord(await start(plan, idpPort, "IDP_PORT=<port> npm start"));
}

/** The address of the page. */
async function startApplication(todokuUrl: string, issuer: string, stateDir: string): Promise<string> {
  const shared = { ...environment, TODOKU_URL: todokuUrl, STATE_DIR: stateDir };
  const api: ChildPlan = {
    name: "api",
    file: repositoryPath("examples/task-notifications/api/main.ts"),
    args: () => [],
    env: (url) => ({
      ...shared,
      ...{ HOST: "127.0.0.1", PORT: portOf(url, pagePort) },
      ...{ OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId },
    }),
    ready: /^API listens on /,
  };
  const worker: ChildPlan = {
    name: "worker",
    file: repositoryPath("examples/task-notifications/worker/main.ts"),
    args: () => [],
    // Who presses Ctrl-C does not want to wait for tasks: they go on at the next start.
    env: () => ({ ...shared, DRAIN_MS: "500" }),
    ready: /^Worker polls /,
  };
  const [page] = await Promise.all([start(api, pagePort, "PAGE_PORT=<port> npm start"), start(worker, "", "")]);
  return lastWord(page);
}

const lastWord = (line: string) => line.slice(line.lastIndexOf(" ") + 1);

async function startAll(): Promise<void> {
  for (const [name, port] of Object.entries({ PAGE_PORT: pagePort, IDP_PORT: idpPort })) {
    if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) continue;
    throw new Error(`${name} is ${JSON.stringify(port)}; it must be a whole number from 0 to 65535`);
  }
  const { stageOptions, rest } = readStageOptions(process.argv.slice(2));
  Object.assign(environment, stageOptions);
  const { stage, secretsStage } = readCommonSettings(environment);
  const [greeting] = await Promise.all([startTodoku(rest), buildPage()]);
  const todokuUrl = /listens on (\S+)/.exec(greeting)?.[1] ?? "";
  const devKey = /TODOKU_API_KEY=(\S+)/.exec(greeting)?.[1];
  const dataDir = /^ {2}data +(.*)$/m.exec(greeting)?.[1] ?? "";
  const stateDir = STATE_DIR || join(dataDir, stateDirName(stage));
  const apiKey = devKey ?? (environmentKey || undefined);
  const [issuer] = await Promise.all([
    OIDC_ISSUER || startIdentityProvider(dataDir),
    setUp({ todokuUrl, apiKey, stage, secretsStage, stateDir }),
  ]);
  const page = await startApplication(todokuUrl, issuer, stateDir);
  const who = OIDC_ISSUER ? "" : " and sign in as alice@example.com with the password todoku-demo";
  process.stdout.write(`Open ${page}${who}\n\n${greeting}\n`);
}

let isStopping = false;
/** Those who use Todoku first: they still have something to tell it. */
async function stop(exitCode: number): Promise<void> {
  if (isStopping) {
    for (const child of children) child.kill(); // asked twice: at once
    process.exit(exitCode || 1);
  }
  isStopping = true;
  const [worker, api, ...others] = children;
  await Promise.all([worker?.stop(), api?.stop()]);
  await Promise.all(others.map((child) => child.stop()));
  process.exit(exitCode);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => void stop(0));

await startAll().catch(async (error: unknown) => {
  if (isStopping) return;
  // A child that failed has said why.
  if (error instanceof StartFailure) return stop(error.exitCode);
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  await stop(1);
});

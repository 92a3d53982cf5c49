// `npm start`: Todoku in dev mode with an example application on top of it: task-notifications, or the one that is named first behind
// `npm start --`. Of the flags that follow, `--stage` and `--secrets-stage` choose the application's environment, the others go to
// `todoku dev`; PAGE_PORT, IDP_PORT and RECEIVER_PORT choose the other ports; with OIDC_ISSUER and OIDC_CLIENT_ID the page signs in there.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { readCommonSettings, readStageOptions } from "../examples/task-notifications/shared/settings.ts";
import { applications, lastWord, portOf } from "./start/applications.ts";
import { Child, type ChildPlan, repositoryPath, StartFailure } from "./start/child.ts";
import { buildPage } from "./start/page.ts";

// A variable that is set to nothing counts as not set.
const { PAGE_PORT, IDP_PORT, RECEIVER_PORT, OIDC_ISSUER, OIDC_CLIENT_ID, STATE_DIR } = process.env;
const receiverPort = RECEIVER_PORT || "3002";
let [pagePort, idpPort] = [PAGE_PORT || "3000", IDP_PORT || "3001"];
// Children get no key of the environment: each has one of its own, in a file that the set-up knows, or needs none.
const { TODOKU_API_KEY: environmentKey, TODOKU_KEY_FILE, ...environment } = process.env;
environment.LOG_LEVEL ||= "warn";

/** The application's, which use the others. */
const users: Child[] = [];
const others: Child[] = [];

/** Says which variable chooses another port. */
async function start(children: Child[], plan: ChildPlan, port = "", variable = ""): Promise<string> {
  const child = new Child(plan);
  children.push(child);
  try {
    return await child.start();
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    // Todoku says so itself.
    if (error.isPortTaken && port !== "")
      process.stderr.write(`error: port ${port} is taken: choose another with ${variable}=<port> npm start\n`);
    process.stdout.write(error.stdout && `${error.stdout}\n`);
    throw error;
  }
}

/** Todoku's greeting. */
function startTodoku(flags: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<string> {
  const plan: ChildPlan = {
    name: "todoku",
    file: repositoryPath("src/cli/main.ts"),
    args: (url) => ["dev", ...flags, ...(url === undefined ? [] : ["--port", portOf(url, "")])],
    env: () => ({ ...environment, ...variables }),
    ready: /^ {2}data /,
  };
  return start(others, plan);
}

/** The issuer. */
async function startIdentityProvider(dataDir: string, clientId: string): Promise<string> {
  const plan: ChildPlan = {
    name: "dev-idp",
    file: repositoryPath("examples/dev-idp/main.ts"),
    args: () => [],
    env: (url) => ({
      ...{ ...environment, HOST: "127.0.0.1", PORT: portOf(url, idpPort) },
      ...{ DATA_DIR: join(dataDir, "dev-idp"), OIDC_CLIENT_ID: clientId },
    }),
    ready: /^Identity provider listens on /,
  };
  return lastWord(await start(others, plan, idpPort, "IDP_PORT"));
}

/** One that is free now in place of 0. */
async function namedPort(port: string): Promise<string> {
  if (Number(port) !== 0) return port;
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: free } = server.address() as AddressInfo;
  await once(server.close(), "close");
  return String(free);
}

function readApplication(args: readonly string[]) {
  const [first = "", ...rest] = args;
  if (first === "" || first.startsWith("-")) return { application: applications[0], args };
  const application = applications.find(({ name }) => name === first);
  if (application) return { application, args: rest };
  const names = new Intl.ListFormat("en-GB").format(applications.map(({ name }) => name));
  throw new Error(`there is no application ${JSON.stringify(first)}; there are ${names}`);
}

async function startAll(): Promise<void> {
  for (const [name, port] of Object.entries({ PAGE_PORT: pagePort, IDP_PORT: idpPort, RECEIVER_PORT: receiverPort })) {
    if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) continue;
    throw new Error(`${name} is ${JSON.stringify(port)}; it must be a whole number from 0 to 65535`);
  }
  const { application, args } = readApplication(process.argv.slice(2));
  const { stageOptions, rest } = readStageOptions(args);
  Object.assign(environment, stageOptions);
  const { stage, secretsStage } = readCommonSettings(environment);
  const clientId = OIDC_CLIENT_ID || application.name;
  // Named to Todoku before they listen: 0 would be another port each time.
  if (application.todokuVariables) [pagePort, idpPort] = [await namedPort(pagePort), await namedPort(idpPort)];
  const issuer = OIDC_ISSUER || `http://127.0.0.1:${idpPort}`;
  const variables = application.todokuVariables?.({ issuer, clientId, stage });
  const [greeting] = await Promise.all([startTodoku(rest, variables), buildPage(application)]);
  const todokuUrl = /listens on (\S+)/.exec(greeting)?.[1] ?? "";
  const devKey = /TODOKU_API_KEY=(\S+)/.exec(greeting)?.[1];
  const dataDir = /^ {2}data +(.*)$/m.exec(greeting)?.[1] ?? "";
  const page = await application.start({
    ...{ environment, todokuUrl, stage, secretsStage, clientId },
    apiKey: devKey ?? (environmentKey || undefined),
    stateDir: STATE_DIR || join(dataDir, application.stateDirName(stage)),
    ports: { page: pagePort, receiver: receiverPort },
    start: (plan, port, variable) => start(users, plan, port, variable),
    startIdentityProvider: async () => OIDC_ISSUER || startIdentityProvider(dataDir, clientId),
  });
  const who = OIDC_ISSUER ? "" : " and sign in as alice@example.com with the password todoku-demo";
  process.stdout.write(`Open ${page}${who}\n\n${greeting}\n`);
}

let isStopping = false;
/** Those who use Todoku first: they still have something to tell it. */
async function stop(exitCode: number): Promise<void> {
  if (isStopping) {
    for (const child of [...users, ...others]) child.kill(); // asked twice: at once
    process.exit(exitCode || 1);
  }
  isStopping = true;
  for (const children of [users, others]) await Promise.all(children.map((child) => child.stop()));
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

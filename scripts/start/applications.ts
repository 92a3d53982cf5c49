import { stateDirName as courseStateDirName } from "../../examples/course-comments/shared/names.ts";
import { setUp as setUpCourses } from "../../examples/course-comments/shared/set-up.ts";
import { stateDirName as sumuStateDirName } from "../../examples/sumu-demo/shared/names.ts";
import { setUp as setUpSumu } from "../../examples/sumu-demo/shared/set-up.ts";
import { stateDirName as taskStateDirName } from "../../examples/task-notifications/shared/names.ts";
import { setUp as setUpTasks } from "../../examples/task-notifications/shared/set-up.ts";
import type { Environment } from "../../examples/task-notifications/shared/settings.ts";
import { type ChildPlan, repositoryPath } from "./child.ts";

/** What an application is started with. */
interface ApplicationOptions {
  /** Of its processes. */
  readonly environment: Environment;
  readonly todokuUrl: string;
  /** For the set-up; undefined in dev mode without keys. */
  readonly apiKey: string | undefined;
  readonly stage: string;
  readonly secretsStage: string | undefined;
  readonly stateDir: string;
  readonly clientId: string;
  readonly ports: { readonly page: string; readonly receiver: string };
  /** Starts one process, and resolves with what it printed. `variable` chooses another port. */
  start(plan: ChildPlan, port?: string, variable?: string): Promise<string>;
  /** The issuer, started when it is ours. */
  startIdentityProvider(): Promise<string>;
}

/** An example that `npm start` runs. */
export interface Application {
  /** Its directory in examples/, and its client at the identity provider. */
  readonly name: string;
  /** Directories in examples/ that its page is built from. */
  readonly pageSources: readonly string[];
  /** The last part of the directory where a stage keeps its keys. */
  stateDirName(stage: string): string;
  /** What Todoku itself has to be told of it, as variables of its environment. */
  todokuVariables?(identity: { issuer: string; clientId: string; stage: string }): Readonly<Record<string, string>>;
  /** Sets up what it needs and starts its processes. Answers the page's address. */
  start(options: ApplicationOptions): Promise<string>;
}

const taskNotifications: Application = {
  name: "task-notifications",
  pageSources: ["task-notifications/web"],
  stateDirName: taskStateDirName,
  async start(options) {
    const { environment, todokuUrl, stateDir, start } = options;
    const [issuer] = await Promise.all([options.startIdentityProvider(), setUpTasks(options)]);
    const worker: ChildPlan = {
      name: "worker",
      file: repositoryPath("examples/task-notifications/worker/main.ts"),
      args: () => [],
      // Who presses Ctrl-C does not want to wait for tasks: they go on at the next start.
      env: () => ({ ...environment, TODOKU_URL: todokuUrl, STATE_DIR: stateDir, DRAIN_MS: "500" }),
      ready: /^Worker polls /,
    };
    const [page] = await Promise.all([startApi("task-notifications", issuer, options), start(worker)]);
    return page;
  },
};

const courseComments: Application = {
  name: "course-comments",
  // It has sign-in, live connection and looks in common with the other one.
  pageSources: ["course-comments/web", "course-comments/shared", "task-notifications/web"],
  stateDirName: courseStateDirName,
  async start(options) {
    const { environment, todokuUrl, stateDir, ports, start } = options;
    const receiver: ChildPlan = {
      name: "receiver",
      file: repositoryPath("examples/course-comments/receiver/main.ts"),
      args: () => [],
      env: (url) => ({
        ...{ ...environment, TODOKU_URL: todokuUrl, STATE_DIR: stateDir },
        ...{ HOST: "127.0.0.1", PORT: portOf(url, ports.receiver) },
      }),
      ready: /^Receiver listens on /,
    };
    // The set-up tells Todoku where it is. It reads its key when the first delivery comes.
    const receiverUrl = lastWord(await start(receiver, ports.receiver, "RECEIVER_PORT"));
    const setUp = () => setUpCourses({ ...options, receiverUrl });
    const [issuer] = await Promise.all([options.startIdentityProvider(), setUp()]);
    return startApi("course-comments", issuer, options);
  },
};

const sumuDemo: Application = {
  name: "sumu-demo",
  // It has sign-in and looks in common with the first one.
  pageSources: ["sumu-demo/web", "task-notifications/web"],
  stateDirName: sumuStateDirName,
  // Its users come to Todoku with what the identity provider gave them; `grants: {}` leaves them the routes alone.
  todokuVariables: ({ issuer, clientId, stage }) => ({
    TODOKU_GATEWAY_AUTHORIZERS: JSON.stringify([{ issuer, environment: stage, audiences: [clientId], grants: {} }]),
  }),
  async start(options) {
    const { environment, todokuUrl, stateDir, clientId, ports, start } = options;
    const backendUrl = `http://127.0.0.1:${ports.page}`;
    const [issuer] = await Promise.all([options.startIdentityProvider(), setUpSumu({ ...options, backendUrl })]);
    const backend: ChildPlan = {
      name: "backend",
      file: repositoryPath("examples/sumu-demo/backend/main.ts"),
      args: () => [],
      env: () => ({
        ...{ ...environment, TODOKU_URL: todokuUrl, STATE_DIR: stateDir },
        ...{ HOST: "127.0.0.1", PORT: ports.page, OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId },
      }),
      ready: /^Backend listens on /,
    };
    return lastWord(await start(backend, ports.page, "PAGE_PORT"));
  },
};

/** The first is the one that runs when none is named. */
export const applications: readonly [Application, Application, Application] = [
  taskNotifications,
  courseComments,
  sumuDemo,
];

/** The API serves the page: answers its address. */
async function startApi(name: string, issuer: string, options: ApplicationOptions): Promise<string> {
  const { environment, todokuUrl, stateDir, clientId, ports, start } = options;
  const api: ChildPlan = {
    name: "api",
    file: repositoryPath(`examples/${name}/api/main.ts`),
    args: () => [],
    env: (url) => ({
      ...{ ...environment, TODOKU_URL: todokuUrl, STATE_DIR: stateDir },
      ...{ HOST: "127.0.0.1", PORT: portOf(url, ports.page) },
      ...{ OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId },
    }),
    ready: /^API listens on /,
  };
  return lastWord(await start(api, ports.page, "PAGE_PORT"));
}

/** Of an address that a process had; a URL leaves the port of its scheme out. */
export const portOf = (url: string | undefined, first: string) =>
  url === undefined ? first : new URL(url).port || "80";

export const lastWord = (line: string) => line.slice(line.lastIndexOf(" ") + 1);

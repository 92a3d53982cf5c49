// `node bench/gateway.ts [NAME... --rounds N --secs S]`: the WebSocket gateway beside other push servers. bench/README.md says how to read it.
import { execFile } from "node:child_process";
import { parseArgs, promisify } from "node:util";
import { type PushLoad, type PushQuestion, pushQuestions } from "./gateway-questions.ts";
import { cellsOf, type PushRound, pushTable } from "./gateway-report.ts";
import { type PushServerName, pushServers, type Speech } from "./gateway-servers.ts";
import { compileLoader, type Measurement } from "./loader.ts";
import { NotInstalled, peerVersions } from "./peers/push.ts";
import { onCores } from "./pin.ts";
import { versions } from "./report.ts";

const names = pushQuestions.map(({ name }) => name);
const usage = `usage: node bench/gateway.ts [${names.join(" | ")}]... [--rounds 5] [--secs 2]`;
const warmSeconds = 1;
/** Connections and messages in flight have come and gone by then. */
const graceSeconds = 30;

/** Options of the loader; frames in hex. */
function optionsOf(speech: Speech, load: PushLoad): Record<string, string | number | boolean> {
  const { mode, connections, window = 8, rate = 0, publishers = 1, stalled = 0, bytes = 128 } = load;
  const { path, publishPath = path, protocol, isBinary = false, subscribe, greeting } = speech;
  const hex = (text = "") => Buffer.from(text, "latin1").toString("hex");
  return {
    ...{ mode, connections, window, rate, publishers, stalled, bytes, path, "publish-path": publishPath },
    ...{ binary: isBinary, publish: hex(speech.publish) },
    ...(protocol !== undefined && { protocol }),
    ...(subscribe !== undefined && { subscribe: hex(subscribe), "subscribed-sign": hex(speech.subscribedSign) }),
    ...(greeting !== undefined && { greeting: hex(greeting), "greeted-sign": hex(speech.greetedSign) }),
  };
}

async function measure(binary: string, name: PushServerName, load: PushLoad, seconds: number): Promise<Measurement> {
  const { speech, start } = pushServers[name];
  const server = await start("0");
  try {
    const timing = { port: server.port, pid: server.pid, warm: warmSeconds, seconds };
    const tokens = "tokenFile" in server && { "token-file": server.tokenFile };
    const options = { ...timing, ...optionsOf(speech, load), ...tokens };
    const args = Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)]);
    const timeout = (seconds + warmSeconds + graceSeconds) * 1000;
    const { stdout } = await promisify(execFile)(...onCores("1", binary, args), { timeout });
    const measured = JSON.parse(stdout) as Measurement;
    if (measured.lost !== 0) throw new Error(`${name}: ${measured.lost} messages were lost`);
    return measured;
  } finally {
    await server.stop();
  }
}

/** One round of all runs whose server is there, in an order that rotates. */
async function runRound(question: PushQuestion, binary: string, round: number, seconds: number): Promise<PushRound> {
  const runs = Object.entries(question.runs);
  const first = round % runs.length;
  const measured = new Map<string, Measurement>();
  for (const [name, { server, load }] of [...runs.slice(first), ...runs.slice(0, first)]) {
    try {
      const figures = await measure(binary, server, load, seconds);
      measured.set(name, figures);
      console.error(`  round ${round + 1} ${name.padEnd(14)} ${describe(figures)}`);
    } catch (error) {
      if (!(error instanceof NotInstalled)) throw error;
      if (round === 0) console.error(`  ${name} is left out: ${error.message}`);
    }
  }
  return measured;
}

function describe({ perSecond, serverCpuUs, p50Us, p99Us, connectionKb, ...used }: Measurement): string {
  return [
    `${perSecond}/s`,
    `${serverCpuUs.toFixed(2)} µs CPU each`,
    ...(connectionKb ? [`${connectionKb} KB each`] : [`p50 ${p50Us / 1000} ms  p99 ${p99Us / 1000} ms`]),
    `CPU: server ${used.serverCpuPercent} %, loader ${used.loaderCpuPercent} %`,
  ].join("  ");
}

function parse() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: "string", default: "5" }, secs: { type: "string", default: "2" } },
  });
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`there is no bench ${unknown.join(", ")}`);
  const [rounds, seconds] = [Number(values.rounds), Number(values.secs)];
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100)) throw new Error("--rounds must be 1..100");
  if (!(seconds > 0 && seconds <= 60)) throw new Error("--secs must be above 0 and <= 60");
  return { asked: positionals.length > 0 ? positionals : names, rounds, seconds };
}

async function main(): Promise<void> {
  const { asked, rounds, seconds } = parse();
  const binary = compileLoader();
  const rows: string[][] = [];
  for (const question of pushQuestions.filter(({ name }) => asked.includes(name))) {
    console.error(question.name);
    const measured: PushRound[] = [];
    for (let round = 0; round < rounds; round++) measured.push(await runRound(question, binary, round, seconds));
    rows.push(...question.rows.map((row) => cellsOf(row, measured)));
  }
  console.log(`${versions(rounds, seconds)}; ${peerVersions()}\n\n${pushTable(rows)}`);
}

process.on("SIGINT", () => process.exit(130)); // runs the exit handlers that end the servers
process.on("SIGTERM", () => process.exit(143));
try {
  await main();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
  process.exitCode = 1;
}

// `npm run bench [-- NAME... --rounds N --secs S --write]`; bench/README.md says how to read it.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { compileLoader } from "./loader.ts";
import { type Question, questions } from "./questions.ts";
import { type Answer, table, versions, writeAnswers } from "./report.ts";
import { runRounds } from "./rounds.ts";

const names = [...new Set(questions.map(({ name }) => name))];
const usage = `usage: npm run bench -- [${names.join(" | ")}]... [--rounds 5] [--secs 2] [--write]`;

function parse() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "5" },
      secs: { type: "string", default: "2" },
      write: { type: "boolean", default: false },
    },
  });
  const [rounds, seconds] = [Number(values.rounds), Number(values.secs)];
  if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100)) throw new Error("--rounds must be 1..100");
  if (!(seconds > 0 && seconds <= 60)) throw new Error("--secs must be above 0 and <= 60");
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`there is no bench ${unknown.join(", ")}`);
  return { asked: positionals.length > 0 ? positionals : names, rounds, seconds, write: values.write };
}

async function ask(asked: readonly Question[], rounds: number, seconds: number): Promise<Answer[]> {
  const binary = compileLoader();
  const answers: Answer[] = [];
  for (const question of asked) {
    console.error(`${question.name}: ${question.title}`);
    answers.push({ question, rounds: await runRounds(question, binary, rounds, seconds) });
  }
  return answers;
}

async function main(): Promise<void> {
  const { asked, rounds, seconds, write } = parse();
  if (process.platform !== "linux" || availableParallelism() < 2) {
    throw new Error("the bench needs Linux and two cores: one for the server, one for the load");
  }
  const measuredWith = versions(rounds, seconds);
  const answers = await ask(
    questions.filter(({ name }) => asked.includes(name)),
    rounds,
    seconds,
  );
  console.log(`${measuredWith}\n\n${table(answers)}`);
  if (!write) return;
  for (const name of asked) {
    writeAnswers(
      name,
      measuredWith,
      answers.filter(({ question }) => question.name === name),
    );
  }
}

process.on("SIGINT", () => process.exit(130)); // runs the exit handlers that end the servers
process.on("SIGTERM", () => process.exit(143));
try {
  await main();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n${usage}`);
  process.exitCode = 1;
}

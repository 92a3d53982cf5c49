// A client that takes no notice of its limits: calls as fast as it can, over many connections, until it is killed.
import { Agent, get } from "node:http";

const [, , url = "", token = ""] = process.argv;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const statuses = new Map<string, number>();

function call(): void {
  let isOver = false;
  const again = (outcome: string) => {
    if (isOver) return;
    isOver = true;
    statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1);
    // What is refused at the door comes back less fast: it would be this process that is busy.
    if (outcome.startsWith("4") || outcome.startsWith("2")) call();
    else setTimeout(call, 5);
  };
  const request = get(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
    response.resume().once("end", () => again(String(response.statusCode)));
    response.once("close", () => again("closed"));
  });
  request.once("error", (error: NodeJS.ErrnoException) => again(error.code ?? "error"));
}

for (let i = 0; i < 64; i++) call();
process.stdout.write("floods\n");
process.on("SIGTERM", () => {
  process.stdout.write(`${JSON.stringify(Object.fromEntries(statuses))}\n`, () => process.exit(0));
});

// Runs a Lambda-style function of Node: asks the Runtime API for work, calls the function, answers; again and again, until nobody is there to ask.
// _HANDLER: "path/file.function", relative to LAMBDA_TASK_ROOT. Answers what the function returns, or gives to its callback.
import { existsSync } from "node:fs";
import { Agent, request } from "node:http";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const root = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const agent = new Agent({ keepAlive: true, maxSockets: 2 });
const extensions = [".mjs", ".js", ".cjs", ".mts", ".ts", ".cts"];

/** One call of the Runtime API. When it cannot be reached any more the server is gone, or wants this process to end. */
function call(method, path, body, headers = {}) {
  return new Promise((done) => {
    const gone = () => process.exit(0);
    const sent = request(`${root}/${path}`, { method, agent, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk)).on("error", gone);
      response.on("end", () => done({ headers: response.headers, text: Buffer.concat(chunks).toString("utf8") }));
    });
    sent.on("error", gone).end(body);
  });
}

function describe(error) {
  if (!(error instanceof Error)) return { errorType: typeof error, errorMessage: textOf(error), trace: [] };
  const trace = String(error.stack ?? "").split("\n");
  return { errorType: error.name, errorMessage: error.message, trace };
}

function textOf(value) {
  try {
    return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return String(value);
  }
}

function sendError(path, error) {
  const body = describe(error);
  console.error(body.trace.length > 0 ? body.trace.join("\n") : body.errorMessage);
  return call("POST", path, JSON.stringify(body), { "content-type": "application/json" });
}

/** "a/file.function" or "a/file.object.function". */
async function load(text) {
  const slash = text.lastIndexOf("/") + 1;
  const [, file, names] = /^([^.]+)\.(.+)$/s.exec(text.slice(slash)) ?? [];
  if (file === undefined)
    throw new Error(`"${text}" must be a file without its extension, a dot, and a function of it`);
  const path = text.slice(0, slash) + file;
  const place = resolve(process.env.LAMBDA_TASK_ROOT ?? ".", path);
  const found = extensions.map((extension) => place + extension).find((name) => existsSync(name));
  if (found === undefined) throw new Error(`there is no ${path} with one of: ${extensions.join(" ")}`);
  const module = await import(pathToFileURL(found).href);
  const find = (from) => names.split(".").reduce((value, name) => value?.[name], from);
  const handler = find(module) ?? find(module.default);
  if (typeof handler !== "function") throw new Error(`${path} exports no function ${names}`);
  return handler;
}

function contextOf(headers) {
  const deadlineMs = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
}

/** A function that answers nothing has ended when nothing is left that it could wait for. */
let onNothingLeft = () => {};
process.on("beforeExit", () => onNothingLeft());

/** What it returns, or what it gives to its callback or to the three functions of old: the first of them. */
function run(handler, event, context) {
  return new Promise((succeed, fail) => {
    const callback = (error, result) => (error === null || error === undefined ? succeed(result) : fail(error));
    const old = { succeed, fail, done: callback };
    onNothingLeft = () => succeed(null);
    const returned = handler(event, { ...context, ...old }, callback);
    if (typeof returned?.then === "function") returned.then(succeed, fail);
    // A function that takes no callback has answered when it returns.
    else if (returned !== undefined || handler.length < 2) succeed(returned);
  });
}

/** What nobody catches is the answer to what runs; then the process ends, for nobody knows what state it is in. */
let current;
async function onUncaught(error) {
  await sendError(current === undefined ? "init/error" : `invocation/${current}/error`, error);
  process.exit(1);
}
process.on("uncaughtException", onUncaught).on("unhandledRejection", onUncaught);

let handler;
try {
  handler = await load(process.env._HANDLER ?? "");
} catch (error) {
  await sendError("init/error", error);
  process.exit(1);
}
for (;;) {
  const { headers, text } = await call("GET", "invocation/next");
  const id = headers["lambda-runtime-aws-request-id"];
  if (id === undefined) process.exit(0);
  current = id;
  try {
    const result = JSON.stringify((await run(handler, JSON.parse(text), contextOf(headers))) ?? null);
    await call("POST", `invocation/${id}/response`, result, { "content-type": "application/json" });
  } catch (error) {
    await sendError(`invocation/${id}/error`, error);
  }
  current = undefined;
}

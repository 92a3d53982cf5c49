// Handlers of tests in the style of the articles: the SDK with nothing but its environment.
import { GetQueueUrlCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";

const sqs = new SQSClient();
let calls = 0;

/** Passes each message of a topic on to the queue `answers`. */
export async function relay(event) {
  for (const { Sns, EventSource } of event.Records) {
    const MessageBody = JSON.stringify({
      source: EventSource,
      message: JSON.parse(Sns.Message),
      kind: Sns.MessageAttributes.kind?.Value,
    });
    await sqs.send(new SendMessageCommand({ QueueUrl: "answers", MessageBody }));
  }
}

/** What it is asked for: its key, its variables, or what the server says to calls of its own. */
export async function probe({ calls: wanted = [], receive, parameter, variables = [] }) {
  calls++;
  const headers = { authorization: `Bearer ${process.env.TODOKU_API_KEY}`, "content-type": "application/json" };
  const statuses = [];
  for (const [method, path, body] of wanted) {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(process.env.TODOKU_URL + path, { method, headers, ...init });
    await response.arrayBuffer();
    statuses.push(`${method} ${path} ${response.status}`);
  }
  const errorOf = (promise) => promise.then(() => "ok").catch((error) => error.name);
  return {
    statuses,
    calls,
    received: receive && (await errorOf(sqs.send(new ReceiveMessageCommand({ QueueUrl: receive })))),
    queueUrl: receive && (await errorOf(sqs.send(new GetQueueUrlCommand({ QueueName: receive })))),
    parameter: parameter && (await errorOf(new SSMClient().send(new GetParameterCommand({ Name: parameter })))),
    variables: Object.fromEntries(variables.map((name) => [name, process.env[name]])),
  };
}

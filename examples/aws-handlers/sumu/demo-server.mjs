// The rules of demo_server.py, in JavaScript, but for the list of who is connected.
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const sns = new SNSClient();
const sqs = new SQSClient();

export async function handler(event) {
  for (const record of event.Records) {
    const { caller, source, message, reply } = parseRecord(record);
    const request = answerTo(caller, source, message);
    if (request) await reply(JSON.stringify(request));
    else console.log(`nothing to do for a message of ${caller} by ${source}`);
  }
}

/** Who a message is of stands in attributes that no client can set; its body may say anything. */
function parseRecord({ Sns, body, messageAttributes }) {
  const attributeOf = (name) => (Sns ? Sns.MessageAttributes[name].Value : messageAttributes[name].stringValue);
  const message = { ...JSON.parse(Sns ? Sns.Message : body), timestamp: Number(attributeOf("timestamp")) };
  return { caller: attributeOf("user_id"), source: attributeOf("source"), message, reply: Sns ? publish : send };
}

function answerTo(caller, source, { type, message, timestamp }) {
  if (source === "lambda.presence.watchdog") return { exclude_users: [caller], data: { type: "presence", message } };
  if (!source.startsWith("apigw.route.") || type !== "message") return undefined;
  const { text, push_mode: mode, users } = message;
  const data = { type: "message", message: { text, user_id: caller, timestamp } };
  if (mode === "UNICAST") return { users: [caller], data };
  if (mode === "MULTICAST" && users?.length > 0) return { users, data };
  if (mode === "BROADCAST") return { exclude_users: [caller], data };
  return undefined;
}

function publish(request) {
  return sns.send(new PublishCommand({ TargetArn: process.env.NOTIFICATIONS_TOPIC_ARN, Message: request }));
}

function send(request) {
  return sqs.send(new SendMessageCommand({ QueueUrl: process.env.NOTIFICATIONS_QUEUE_URL, MessageBody: request }));
}

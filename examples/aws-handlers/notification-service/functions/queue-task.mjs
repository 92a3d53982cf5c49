import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import middy from "@middy/core";
import cors from "@middy/http-cors";

const sqsClient = new SQSClient();

/** POST /task: whatever comes is a task of the user who sent it. */
async function queueTask(event) {
  const task = { userId: event.requestContext.authorizer.claims.sub, payload: event.body };
  const command = new SendMessageCommand({ QueueUrl: process.env.TASK_QUEUE_URL, MessageBody: JSON.stringify(task) });
  await sqsClient.send(command);
  return { statusCode: 202 };
}

export const handler = middy(queueTask).use(cors());

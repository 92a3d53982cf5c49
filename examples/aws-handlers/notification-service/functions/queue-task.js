const { SendMessageCommand, SQSClient } = require("@aws-sdk/client-sqs");
const middy = require("@middy/core");
const cors = require("@middy/http-cors");

const sqsClient = new SQSClient();

/** POST /task: whatever comes is a task of the user who sent it. */
async function queueTask(event) {
  const task = { userId: event.requestContext.authorizer.claims.sub, payload: event.body };
  const command = new SendMessageCommand({ QueueUrl: process.env.TASK_QUEUE_URL, MessageBody: JSON.stringify(task) });
  await sqsClient.send(command);
  return { statusCode: 202 };
}

module.exports.handler = middy(queueTask).use(cors());

// Functions as backends of AWS have them, for the REST API and the URLs of functions.
import {
  ApiGatewayManagementApiClient,
  GoneException,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import middy from "@middy/core";
import httpCors from "@middy/http-cors";

/** In the style of the notification article: whoever is signed in queues a task, and hears no more of it here. */
export const queueTask = middy()
  .use(httpCors({ origin: "*" }))
  .handler(async (event) => {
    const { sub } = event.requestContext.authorizer.claims;
    console.log(JSON.stringify({ userId: sub, payload: event.body }));
    return { statusCode: 202 };
  });

/** Shows what it got. */
export const show = async (event) => ({ statusCode: 200, body: JSON.stringify(event) });

/** A result without a statusCode. */
export const plain = async (event) => ({ path: event.rawPath });

/** Fails in the way that it is asked to; else says what it got. */
export const echo = async (event, context) => {
  console.log("node got it");
  if (event.fails) throw new TypeError("no good");
  if (event.waits) await new Promise(() => setInterval(() => {}, 1000));
  return { event, id: context.awsRequestId };
};

/** Says to the connection itself what it has said; before there is one, it cannot. */
export const chat = async ({ requestContext, body }) => {
  const { domainName, stage, connectionId, eventType } = requestContext;
  if (eventType === "DISCONNECT") return { statusCode: 200 };
  const api = new ApiGatewayManagementApiClient({ endpoint: `http://${domainName}/${stage}` });
  const Data = JSON.stringify({ said: body && JSON.parse(body).text, by: requestContext.authorizer.principalId });
  try {
    await api.send(new PostToConnectionCommand({ ConnectionId: connectionId, Data }));
  } catch (error) {
    return { statusCode: eventType === "CONNECT" && error instanceof GoneException ? 200 : 500 };
  }
  return { statusCode: eventType === "CONNECT" ? 500 : 200 };
};

import middy from "@middy/core";
import cors from "@middy/http-cors";
import { generateToken } from "../lib/momento.mjs";
import { momentoApiKey } from "../lib/parameters.mjs";

/** GET /token: what the user's page needs to follow the user's own topic. */
async function vendToken(event, context) {
  const userId = event.requestContext.authorizer.claims.sub;
  const token = await generateToken(context.MOMENTO_API_KEY, userId);
  return { statusCode: 200, body: JSON.stringify(token) };
}

export const handler = middy(vendToken).use(cors()).use(momentoApiKey());

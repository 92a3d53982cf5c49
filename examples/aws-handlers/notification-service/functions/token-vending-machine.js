const middy = require("@middy/core");
const cors = require("@middy/http-cors");
const { generateToken } = require("../lib/momento");
const { momentoApiKey } = require("../lib/parameters");

/** GET /token: what the user's page needs to follow the user's own topic. */
async function vendToken(event, context) {
  const userId = event.requestContext.authorizer.claims.sub;
  const token = await generateToken(context.MOMENTO_API_KEY, userId);
  return { statusCode: 200, body: JSON.stringify(token) };
}

module.exports.handler = middy(vendToken).use(cors()).use(momentoApiKey());

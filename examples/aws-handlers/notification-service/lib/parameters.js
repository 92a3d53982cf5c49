const ssm = require("@middy/ssm");

/** Puts the Momento API key into the handler's context, and looks for a new one every five minutes. */
const momentoApiKey = () =>
  ssm({
    cache: true,
    cacheExpiry: 5 * 60 * 1000,
    setToContext: true,
    fetchData: { MOMENTO_API_KEY: process.env.MOMENTO_API_KEY_PARAM_NAME },
  });

module.exports = { momentoApiKey };

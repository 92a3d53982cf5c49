import ssm from "@middy/ssm";

const fiveMinutesMs = 5 * 60 * 1000;

/** Puts the Momento API key into the handler's context, and looks for a new one every five minutes. */
export const momentoApiKey = () =>
  ssm({
    cacheExpiry: Number(process.env.PARAMETER_CACHE_MS ?? fiveMinutesMs),
    setToContext: true,
    fetchData: { MOMENTO_API_KEY: process.env.MOMENTO_API_KEY_PARAM_NAME },
  });

/** What the server sets itself: whatever somebody else put there would be lost. */
const own = new Set([
  ...["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
  ...["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_RUNTIME_API"],
  ...["_HANDLER", "LAMBDA_TASK_ROOT", "TODOKU_URL", "TODOKU_API_KEY"],
]);

/** Why a handler cannot have an environment variable of this name; undefined: it can. */
export function problemOfVariable(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
    return "must be a name of an environment variable: 1 to 128 of A-Z, a-z, 0-9 and _, and no digit first";
  }
  return own.has(name) ? "is a variable that the server sets itself" : undefined;
}

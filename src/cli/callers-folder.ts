/**
 * Where the paths of a command line begin: `npm run todoku` runs in the folder of its package.json and says in `INIT_CWD` where it was
 * called. Undefined when npm does not run us, or runs another script (`npm test`) that has its own idea of where we are.
 */
export function callersFolder(env: NodeJS.ProcessEnv): string | undefined {
  const isScriptOfOurs = env.npm_lifecycle_event === "todoku" && env.npm_package_name === "todoku";
  return isScriptOfOurs && env.INIT_CWD ? env.INIT_CWD : undefined;
}

// Preloaded into the children of `npm start` with --import: they end when their parent does, even when that was killed and could tell nobody.
import { isMainThread } from "node:worker_threads";

/** How long a child may take to close. */
const graceMs = 5000;

// Worker threads of a child inherit --import, but not the channel.
if (isMainThread) {
  process.once("disconnect", () => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.kill(process.pid, "SIGKILL"), graceMs).unref();
  });
  // The line to the parent is no reason to go on living.
  process.channel?.unref();
}

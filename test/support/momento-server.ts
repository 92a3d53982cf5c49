import type { MomentoErrorCode } from "@gomomento/sdk";
import { localCredential, momentoClients } from "./momento-node.ts";
import { aServer } from "./server.ts";

/** A server in this process with a cache `disk` and a cache `memory`, and the unmodified Node SDK beside it. */
export async function aMomentoServer() {
  const server = await aServer();
  const clients = momentoClients(localCredential(server.port));
  for (const durability of ["disk", "memory"]) {
    const made = await fetch(`${server.url}/v1/caches`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: durability, durability }),
    });
    if (made.status !== 201) throw new Error(`cache ${durability}: ${made.status} ${await made.text()}`);
  }
  return {
    server,
    clients,
    async close() {
      clients[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Every failed answer of the SDK has these. */
export function errorOf(response: unknown): { code: MomentoErrorCode; message: string } | undefined {
  const failed = response as { errorCode?: () => MomentoErrorCode; message?: () => string };
  return failed.errorCode && { code: failed.errorCode(), message: failed.message?.() ?? "" };
}

import type { EnvironmentStore } from "../../domain/environments/store.ts";
import type { MemoryKeys } from "./memory-keys.ts";
import type { MemoryTopics } from "./memory-topics.ts";
import type { EmbeddedRecords } from "./records.ts";
import type { Storage } from "./storage.ts";
import type { ForgetOutcome } from "./storage-environments.ts";

/** The environments of a data directory, and what `memory` keeps of them. */
export function createEnvironmentStore(
  storage: Storage,
  records: EmbeddedRecords,
  memory: { readonly topics: MemoryTopics; readonly keys: MemoryKeys },
): EnvironmentStore {
  return {
    async names() {
      return records.environments();
    },
    async forget({ name, id }) {
      const { outcome } = await storage.writes.submit<{ outcome: ForgetOutcome; removed: number }>({
        name: "environments.forget",
        items: 1,
        bytes: 0,
        encode: (op) => {
          op.put(name);
          op.put(id);
        },
        decode: (answer) => ({ outcome: answer.text() as ForgetOutcome, removed: answer.number() }),
        apply({ outcome, removed }) {
          if (removed === 0 && outcome !== "done") return;
          const cacheIds = records.forgetEnvironment(name, outcome === "done");
          memory.topics.forgetEnvironment(name, cacheIds);
          memory.keys.forgetEnvironment(name, cacheIds);
        },
      });
      return outcome === "more";
    },
  };
}

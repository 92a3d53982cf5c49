import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { expect, it } from "vitest";

/** What a module and those that it imports get from packages; types are gone when it runs. */
function packagesOf(path: string, seen = new Set<string>()): string[] {
  if (seen.has(path)) return [];
  seen.add(path);
  const imports = readFileSync(path, "utf8").matchAll(/^(?:import|export)(?! type)[^;]*? from "([^"]+)";$/gm);
  return [...imports].flatMap(([, name = ""]) =>
    name.startsWith(".") ? packagesOf(resolve(dirname(path), name), seen) : [name],
  );
}

// Zod alone, which came along with a check of TTLs, took 70 of the 210 ms of CPU in which an engine opened and closed.
it.each(["storage-thread.ts", "reader-thread.ts"])("%s loads nothing but Node's own modules", (file) => {
  const names = new Set(packagesOf(resolve(import.meta.dirname, file)));
  expect([...names].filter((name) => !name.startsWith("node:"))).toEqual([]);
  expect(names).toContain("node:worker_threads");
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor({ access: { isOpen: false, devKey: "the-key" } });
});
afterAll(() => door[Symbol.asyncDispose]());

async function run(...args: string[]) {
  const command = runCommand(["cache", ...args], { TODOKU_URL: `${door.url}/`, TODOKU_API_KEY: "the-key\n" });
  return [await command.done, command.stdout, command.stderr];
}

describe("todoku cache", () => {
  it("creates, lists and deletes", async () => {
    expect(await run("create", "my cache", "--durability", "memory")).toEqual([
      0,
      "created cache my cache (memory)\n",
      "",
    ]);
    expect(await run("create", "my cache")).toEqual([1, "", 'error: cache "my cache" exists already\n']);
    expect(await run("list")).toEqual([
      0,
      expect.stringMatching(
        /^NAME {6}DURABILITY {2}CREATED\nc {9}memory {6}\S+Z\nevents {4}disk {8}\S+Z\nmy cache {2}memory {6}\S+Z\n$/,
      ),
      "",
    ]);
    expect(await run("delete", "my cache")).toEqual([0, "deleted cache my cache\n", ""]);
    expect(await run("delete", "my cache")).toEqual([
      1,
      "",
      'error: cache "my cache" does not exist\ntodoku cache list shows the caches there are\n',
    ]);
  });

  it("prints what the server answered with --json", async () => {
    const [code, stdout] = await run("list", "--json");
    expect([code, JSON.parse(String(stdout))]).toEqual([
      0,
      {
        caches: [
          { name: "c", durability: "memory", createdAtMs: expect.any(Number) },
          { name: "events", durability: "disk", createdAtMs: expect.any(Number) },
        ],
      },
    ]);
  });

  it("ends with 2 for a durability that there is not", async () => {
    expect((await run("create", "x", "--durability", "tape"))[0]).toBe(2);
  });
});

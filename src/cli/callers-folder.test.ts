import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "../../test/support/process.ts";
import { aDirectory } from "../../test/support/server.ts";
import { callersFolder } from "./callers-folder.ts";

const ofNpm = { npm_lifecycle_event: "todoku", npm_package_name: "todoku" };

describe("the folder where paths begin", () => {
  it("is the one that `npm run todoku` was called in, for a file that the command line names", async () => {
    await using directory = await aDirectory();
    writeFileSync(join(directory.path, "here.yaml"), "port: 4321\n");
    const args = ["config", "print", "--config", "here.yaml"];
    const { code, stdout } = await runCli(args, { ...ofNpm, INIT_CWD: directory.path });
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/port.*4321/) });
  });

  it.each([
    ["without npm", {}],
    ["in another script", { ...ofNpm, npm_lifecycle_event: "test" }],
    ["in a script of this name of another package", { ...ofNpm, npm_package_name: "their-app" }],
  ])("is the working directory %s", (_, env) => {
    expect(callersFolder({ INIT_CWD: "/somewhere", ...env })).toBeUndefined();
  });
});

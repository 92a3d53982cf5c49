import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { z } from "zod";
import { aDirectory, aServer } from "../../../test/support/server.ts";
import { fixedCredential } from "../../task-notifications/shared/credential.ts";
import { Todoku } from "../../task-notifications/shared/todoku.ts";
import { setUp } from "./set-up.ts";
import { keyFileIn } from "./settings.ts";

// Each set-up starts a process.
vi.setConfig({ testTimeout: 60_000 });

it("makes what is missing: all, nothing, a lost bootstrap key, and the way to a receiver that has moved", async () => {
  await using server = await aServer();
  await using directory = await aDirectory();
  const stateDir = join(directory.path, "state");
  const run = (receiverUrl: string) => setUp({ todokuUrl: server.url, stage: "dev", stateDir, receiverUrl });
  const [first, second] = ["http://127.0.0.1:4001", "http://127.0.0.1:4002"];

  expect(await run(first)).toContain("create webhook comment");
  const allThere = ["environment dev: there already", "environment dev has all that todoku.yaml says"];
  expect(await run(first)).toEqual(allThere);
  const file = keyFileIn(stateDir, "receiver");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await rm(file);
  expect(await run(first)).toEqual([allThere[0], `key file ${file}: written`]);

  expect(await run(second)).toContain("update webhook vote");
  const admin = new Todoku(server.url, fixedCredential(undefined));
  const webhooks = z.object({ webhooks: z.array(z.object({ name: z.string(), url: z.string() })) });
  expect((await admin.call("GET", "/v1/webhooks", undefined, webhooks)).webhooks).toEqual(
    ["chat", "comment", "vote"].map((name) => ({ name, url: `${second}/webhooks/${name}` })),
  );
});

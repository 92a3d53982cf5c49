import { execFileSync } from "node:child_process";
import { cp, mkdir, readFile, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { aDirectory } from "../../test/support/server.ts";
import { aCertificate } from "../../test/support/tls.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { TimerWheel } from "../lib/timer-wheel.ts";
import { openTls } from "./tls-files.ts";

const dayMs = 24 * 3600 * 1000;
type Made = Awaited<ReturnType<typeof aCertificate>>;
let one: Made;
let two: Made;
let folder: Awaited<ReturnType<typeof aDirectory>>;
let wheel: TimerWheel;

beforeAll(async () => {
  one = await aCertificate();
  two = await aCertificate();
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
});
beforeEach(async () => {
  folder = await aDirectory();
  wheel = new TimerWheel(systemClock);
  wheel.start();
});
afterEach(async () => {
  wheel.stop();
  await folder[Symbol.asyncDispose]();
});

/** Follows the files, and tells of each line of the log and each certificate that came. */
async function follow(certFile: string, keyFile: string, wallMs = Date.now) {
  const lines: string[] = [];
  let wake = () => {};
  const note = (level: string) => (_: unknown, message: string) => {
    lines.push(`${level}: ${message}`);
    wake();
  };
  const log = { ...silentLog, info: note("info"), warn: note("warn"), error: note("error") };
  const tls = await openTls({ certFile, keyFile, plaintext: "never" }, { wheel, log, wallMs });
  if (!tls) throw new Error("no certificate");
  return {
    lines,
    files: tls.files,
    line: async (pattern: RegExp) => {
      while (!lines.some((line) => pattern.test(line))) await new Promise<void>((resolve) => (wake = resolve));
    },
    [Symbol.dispose]: () => tls.files.close(),
  };
}

const put = async ({ certFile, keyFile }: Made, into: string) => {
  await mkdir(into, { recursive: true });
  await cp(keyFile, join(into, "key.pem"));
  await cp(certFile, join(into, "cert.pem"));
};
const at = (name: string) => join(folder.path, name);
const isOf = async (made: Made, cert: Buffer) => cert.equals(await readFile(made.certFile));

it("takes a pair of files that was written over", async () => {
  await put(one, folder.path);
  using followed = await follow(at("cert.pem"), at("key.pem"));
  expect(await isOf(one, followed.files.current.cert)).toBe(true);
  await put(two, folder.path);
  await followed.line(/info: new connections get the new certificate/);
  expect(await isOf(two, followed.files.current.cert)).toBe(true);
});

it("takes a pair that was renamed into place", async () => {
  await put(one, folder.path);
  using followed = await follow(at("cert.pem"), at("key.pem"));
  await put(two, at("new"));
  for (const name of ["key.pem", "cert.pem"]) await rename(join(at("new"), name), at(name));
  await followed.line(/new certificate$/);
  expect(await isOf(two, followed.files.current.cert)).toBe(true);
});

it("takes a folder that was exchanged behind a link, as Kubernetes does", async () => {
  await put(one, at("..one"));
  await put(two, at("..two"));
  await symlink("..one", at("..data"));
  for (const name of ["key.pem", "cert.pem"]) await symlink(join("..data", name), at(name));
  using followed = await follow(at("cert.pem"), at("key.pem"));
  await symlink("..two", at("..data_new"));
  await rename(at("..data_new"), at("..data"));
  await followed.line(/new certificate$/);
  expect(await isOf(two, followed.files.current.cert)).toBe(true);
});

it("takes links that lead elsewhere, as those of certbot after a renewal", async () => {
  await put(one, at("archive/1"));
  await put(two, at("archive/2"));
  await mkdir(at("live"));
  const link = (name: string, version: number) => symlink(`../archive/${version}/${name}`, join(at("live"), name));
  for (const name of ["key.pem", "cert.pem"]) await link(name, 1);
  using followed = await follow(join(at("live"), "cert.pem"), join(at("live"), "key.pem"));
  for (const name of ["key.pem", "cert.pem"]) {
    await unlink(join(at("live"), name));
    await link(name, 2);
  }
  await followed.line(/new certificate$/);
  expect(await isOf(two, followed.files.current.cert)).toBe(true);
});

it.each<[string, () => Promise<unknown>, RegExp]>([
  ["the key of another", () => cp(two.keyFile, at("key.pem")), /key\.pem is not the key of the first certificate/],
  ["garbage", () => writeFile(at("cert.pem"), "-----BEGIN GARBAGE-----"), /cert\.pem holds no certificate as PEM/],
  ["no file", () => rm(at("key.pem")), /key\.pem cannot be read: ENOENT/],
])("keeps what it has when there is %s, says so once, and takes the next good pair", async (_, spoil, message) => {
  await put(one, folder.path);
  using followed = await follow(at("cert.pem"), at("key.pem"));
  await spoil();
  await followed.line(message);
  await followed.files.reload();
  expect(followed.lines.filter((line) => message.test(line))).toHaveLength(1);
  expect(await isOf(one, followed.files.current.cert)).toBe(true);
  await put(two, folder.path);
  await followed.line(/new certificate$/);
  expect(await isOf(two, followed.files.current.cert)).toBe(true);
});

it("follows other files when it is told to, and refuses those that cannot be used", async () => {
  using followed = await follow(one.certFile, one.keyFile);
  await expect(followed.files.reload({ certFile: two.certFile, keyFile: one.keyFile })).rejects.toThrow("not the key");
  expect(await isOf(one, followed.files.current.cert)).toBe(true);
  await followed.files.reload(two);
  expect(await isOf(two, followed.files.current.cert)).toBe(true);
});

it("warns once a day in the last two weeks of a certificate, and says when it is over", async () => {
  let nowMs = one.expiresAtMs - 15 * dayMs;
  using followed = await follow(one.certFile, one.keyFile, () => nowMs);
  const texts = () => followed.lines.splice(0).map((line) => line.split(":", 2).join(":"));
  followed.files.checkExpiry();
  expect(texts()).toEqual([]);
  nowMs += dayMs;
  followed.files.checkExpiry();
  followed.files.checkExpiry();
  expect(texts()).toEqual(["warn: the certificate expires in 14 days"]);
  nowMs += dayMs;
  followed.files.checkExpiry();
  expect(texts()).toEqual(["warn: the certificate expires in 13 days"]);
  nowMs += 13 * dayMs;
  followed.files.checkExpiry();
  expect(texts()).toEqual(["error: the certificate has expired"]);
});

it("refuses to start with files that are no pair, and shows nothing of what is in them", async () => {
  await writeFile(at("secret"), "not a key but a secret");
  await expect(follow(one.certFile, two.keyFile)).rejects.toThrow("is not the key of the first certificate in");
  const wrong = await follow(one.certFile, at("secret")).catch((error: Error) => error.message);
  expect(wrong).toContain("holds no private key");
  expect(wrong).not.toContain("not a key but");
});

it("a slow look at the old files does not undo the change to others", async () => {
  const [old, next] = [join(folder.path, "old"), join(folder.path, "next")];
  await put(one, old);
  await put(two, next);
  using tls = await follow(join(old, "cert.pem"), join(old, "key.pem"));
  const third = await aCertificate();
  await cp(third.keyFile, join(old, "key.pem"));
  await rm(join(old, "cert.pem"));
  execFileSync("mkfifo", [join(old, "cert.pem")]); // gives nothing before it is written to
  const looks = tls.files.reload();
  const changes = tls.files.reload({ certFile: join(next, "cert.pem"), keyFile: join(next, "key.pem") });
  // Were it not to wait for the look before it, it would be through by then.
  await Promise.race([changes, new Promise((resolve) => setTimeout(resolve, 100))]);
  await writeFile(join(old, "cert.pem"), await readFile(third.certFile));
  await Promise.all([looks, changes]);
  expect(tls.files.current.cert.equals(await readFile(two.certFile))).toBe(true);
  await third[Symbol.asyncDispose]();
});

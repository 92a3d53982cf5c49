import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createServer, type TlsOptions } from "node:tls";
import { Command } from "commander";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runNode } from "../../../test/support/process.ts";
import { aDirectory } from "../../../test/support/server.ts";
import { secureSocket } from "../../../test/support/tls.ts";
import { makeCertificate } from "../../lib/x509.ts";
import { processIo } from "./io.ts";
import { registerTls } from "./tls.ts";
import { makeDevTls } from "./tls-dev.ts";

const dayMs = 24 * 3600 * 1000;
let directory: Awaited<ReturnType<typeof aDirectory>>;
beforeEach(async () => {
  directory = await aDirectory();
});
afterEach(() => directory[Symbol.asyncDispose]());

const make = (overrides: Partial<Parameters<typeof makeDevTls>[0]> = {}) =>
  makeDevTls({
    endpoint: "todoku.test:8443",
    out: join(directory.path, "tls"),
    names: [],
    nowMs: Date.now(),
    ...overrides,
  });

/** What a client that trusts this CA alone says of a server with this certificate under this name. */
async function verify(ca: string, server: Pick<TlsOptions, "cert" | "key">, servername: string): Promise<string> {
  const listener = createServer(server, (socket) => socket.destroy());
  listener.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as { port: number };
  try {
    (await secureSocket(port, ca, { servername })).destroy();
    return "trusted";
  } catch (error) {
    return String(error);
  } finally {
    listener.close();
  }
}

const pairOf = async ({ certFile, keyFile }: Awaited<ReturnType<typeof make>>) => ({
  cert: await readFile(certFile),
  key: await readFile(keyFile),
});

it("makes a certificate that clients who trust the CA take for each name, and for no other", async () => {
  const made = await make({ names: ["box.lan", "192.168.1.7"] });
  const ca = await readFile(made.caFile, "utf8");
  const pair = await pairOf(made);
  for (const name of [...made.hosts, "events.cache.todoku.test", "box.lan", "localhost"]) {
    expect(await verify(ca, pair, name), name).toBe("trusted");
  }
  expect(await verify(ca, pair, "other.test")).toContain("does not match certificate");
  const certificate = new X509Certificate(pair.cert);
  for (const address of ["127.0.0.1", "::1", "192.168.1.7"])
    expect(certificate.checkIP(address), address).toBeDefined();
  expect(certificate.checkIP("192.168.1.8")).toBeUndefined();
});

it("makes a CA that is believed for these names only, whoever gets its key", async () => {
  const made = await make();
  const ca = await readFile(made.caFile, "utf8");
  const caKey = createPrivateKey(await readFile(join(directory.path, "tls/ca-key.pem")));
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const forge = async (name: string) => ({
    key: keys.privateKey.export({ type: "pkcs8", format: "pem" }),
    cert: await makeCertificate({
      commonName: name,
      notBeforeMs: Date.now() - dayMs,
      notAfterMs: Date.now() + dayMs,
      publicKey: keys.publicKey,
      issuerKey: caKey,
      issuer: new X509Certificate(ca),
      kind: { server: [name] },
    }),
  });
  expect(await verify(ca, await forge("cache.todoku.test"), "cache.todoku.test")).toBe("trusted");
  expect(await verify(ca, await forge("bank.example"), "bank.example")).toContain("permitted subtree violation");
  expect(await verify(ca, await forge("eviltodoku.test"), "eviltodoku.test")).toContain("permitted subtree violation");
});

it("keeps keys to their owner, and the CA for the next time", async () => {
  const first = await make();
  const mode = async (name: string) => ((await stat(join(directory.path, "tls", name))).mode & 0o777).toString(8);
  expect(await Promise.all(["", "ca-key.pem", "key.pem"].map(mode))).toEqual(["700", "600", "600"]);
  const ca = await readFile(first.caFile, "utf8");
  const before = await pairOf(first);
  const second = await make({ names: ["deep.below.todoku.test"] });
  expect([first.isNewCa, second.isNewCa]).toEqual([true, false]);
  expect(await readFile(second.caFile, "utf8")).toBe(ca);
  const after = await pairOf(second);
  expect(after.key.equals(before.key)).toBe(false);
  expect(await verify(ca, after, "deep.below.todoku.test")).toBe("trusted");
});

it("refuses names that its CA may not sign for, and says what to do", async () => {
  const { caFile } = await make();
  await expect(make({ names: ["other.test"] })).rejects.toThrow(
    `the CA in ${caFile} must not sign for other.test: name`,
  );
  await expect(make({ names: ["10.0.0.1"] })).rejects.toThrow("must not sign for 10.0.0.1");
});

it("makes a new CA a month before the old one ends, after a year", async () => {
  const { expiresAtMs } = await make();
  expect(Math.round((expiresAtMs - Date.now()) / dayMs)).toBe(365);
  expect(await make({ nowMs: expiresAtMs - 31 * dayMs })).toMatchObject({ isNewCa: false, expiresAtMs });
  expect(await make({ nowMs: expiresAtMs - 29 * dayMs })).toMatchObject({ isNewCa: true });
});

it("does not use a CA whose key is gone", async () => {
  const { caFile } = await make();
  await rm(join(directory.path, "tls/ca-key.pem"));
  await expect(make()).rejects.toThrow("ca-key.pem cannot be read: ENOENT");
  expect(await readFile(caFile, "utf8")).toContain("CERTIFICATE");
});

it("does not use a CA with a key of another curve", async () => {
  const { caFile } = await make();
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const issuerKey = createPrivateKey(await readFile(join(directory.path, "tls/ca-key.pem")));
  const [notBeforeMs, notAfterMs] = [Date.now() - dayMs, Date.now() + 365 * dayMs];
  const kind = { ca: ["todoku.test", "localhost", "127.0.0.1", "::1"] };
  await writeFile(
    caFile,
    await makeCertificate({ commonName: "Other", notBeforeMs, notAfterMs, publicKey, issuerKey, kind }),
  );
  await writeFile(join(directory.path, "tls/ca-key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  await expect(make()).rejects.toThrow("ca-key.pem must be a key of the curve P-256");
});

it.each([
  ["127.0.0.1:8443", "is an address"],
  ["[::1]:8443", "is an address"],
  ["Todoku.test", "must be a name in lower case"],
  ["todoku.test:0", "must be a name"],
  ["todoku.test:65536", "must be a name"],
  ["https://todoku.test", "must be a name"],
  ["*.todoku.test", "must be a name"],
  ["", "must be a name"],
])("refuses %j as the endpoint", async (endpoint, message) => {
  await expect(make({ endpoint })).rejects.toThrow(message);
});

it("tells what to do next, in words and as JSON", async () => {
  const run = async (...args: string[]) => {
    let printed = "";
    const write = (text: string) => (printed += text);
    const program = new Command("todoku").exitOverride();
    registerTls(program, { ...processIo, stdout: { write }, stderr: { write } });
    await program.parseAsync(["tls", "dev", "--out", join(directory.path, "tls"), ...args], { from: "user" });
    return printed;
  };
  const text = await run("--endpoint", "todoku.test:8443");
  for (const part of [
    "--tls-cert",
    "--public-endpoint todoku.test:8443",
    "NODE_EXTRA_CA_CERTS=",
    "127.0.0.1 todoku.test cache.",
  ])
    expect(text).toContain(part);
  const json = JSON.parse(await run("--endpoint", "todoku.test:8443", "--json"));
  expect(json).toMatchObject({ endpoint: "todoku.test:8443", isNewCa: false, expiresAt: expect.stringMatching(/Z$/) });
  expect(await readFile(json.keyFile, "utf8")).toContain("PRIVATE KEY");
  expect(JSON.stringify(json)).not.toContain("PRIVATE KEY");
});

it("is the only command that loads the library for certificates, which changes the global Reflect", async () => {
  const load = (file: string) =>
    runNode([
      ...["--input-type=module", "--eval"],
      `await import(${JSON.stringify(new URL(file, import.meta.url).href)}); console.error("getMetadata" in Reflect);`,
      ...["--", "--version"],
    ]);
  expect(await load("../main.ts")).toMatchObject({ code: 0, stderr: "false\n" });
  expect(await load("./tls-dev.ts")).toMatchObject({ code: 0, stderr: "true\n" });
});

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../config/schema.ts";
import { checkProduction, productionWarnings } from "./production.ts";

const directory = mkdtempSync(join(tmpdir(), "todoku-production-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** A data directory with a database, and a configuration against which there is nothing to say. */
function aConfig(overrides: ConfigInput = {}) {
  const dataDir = mkdtempSync(join(directory, "data-"));
  writeFileSync(join(dataDir, "todoku.db"), "");
  return configSchema.parse({ dataDir, masterKeyFile: join(dataDir, "key"), ...overrides });
}

const check = (overrides: ConfigInput = {}, env = {}) => checkProduction(aConfig(overrides), env);

describe("a production server", () => {
  it("starts when nothing is open", () => {
    expect(check).not.toThrow();
    expect(() => check({ masterKeyFile: undefined }, { TODOKU_MASTER_KEY: "x" })).not.toThrow();
    expect(() => check({ masterKeyFile: undefined, masterKeyCommand: "x" })).not.toThrow();
  });

  it.each<[string, ConfigInput, string]>([
    ["dev keys", { devKey: true }, "devKey is for todoku dev: remove it"],
    ["origins of dev mode", { devOrigins: ["http://a.test"] }, "devOrigins is for todoku dev"],
    ["a fault port", { faultAdminPort: 0 }, "faultAdminPort is for todoku dev"],
    ["no master key", { masterKeyFile: undefined }, "todoku init --master-key-file FILE"],
    ["a bind to all addresses without TLS", { host: "0.0.0.0" }, "behindProxy: true"],
    ["a name that is not localhost without TLS", { host: "todoku.example" }, "give tls.certFile and tls.keyFile"],
  ])("refuses %s, and says what to do", (_, overrides, text) => {
    expect(() => check(overrides)).toThrow(text);
  });

  it.each<ConfigInput>([
    { host: "0.0.0.0", behindProxy: true },
    { host: "::", tls: { certFile: "c", keyFile: "k" } },
    { host: "localhost" },
    { host: "::1" },
  ])("takes the bind %j", (overrides) => {
    expect(() => check(overrides)).not.toThrow();
  });

  it("refuses a data directory and a key file that every user of the machine can use", () => {
    const config = aConfig();
    chmodSync(config.dataDir, 0o755);
    expect(() => checkProduction(config, {})).toThrow(
      `has mode 0755, so every user of this machine can use it: chmod o-rwx`,
    );
    chmodSync(config.dataDir, 0o750);
    expect(() => checkProduction(config, {})).not.toThrow();
    const keyFile = join(config.dataDir, "tls.key");
    writeFileSync(keyFile, "", { mode: 0o644 });
    const tls = { certFile: "c", keyFile, plaintext: "never" } as const;
    expect(() => checkProduction({ ...config, tls }, {})).toThrow(`the key file ${keyFile} has mode 0644`);
  });

  it("refuses a directory without data, and does not make it", () => {
    const dataDir = join(directory, "misspelt");
    expect(() => check({ dataDir })).toThrow(`todoku init --data-dir ${dataDir}`);
    expect(() => mkdirSync(dataDir)).not.toThrow();
  });

  it("names every reason at once", () => {
    const text = /devKey.*\n.*host 0\.0\.0\.0.*\n.*master key/;
    expect(() => check({ devKey: true, host: "0.0.0.0", masterKeyFile: undefined })).toThrow(text);
  });

  it("warns of a proxy whose word does not count: everybody behind it would be one address", () => {
    const warnings = (config: ConfigInput) => productionWarnings(configSchema.parse(config));
    expect(warnings({ behindProxy: true })).toMatchObject([expect.stringContaining("trustedProxies")]);
    expect(warnings({ behindProxy: true, trustedProxies: ["10.0.0.0/8"] })).toEqual([]);
    expect(warnings({})).toEqual([]);
  });
});

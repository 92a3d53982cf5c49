// `npm ci` refuses a lock file that lacks an optional package of another platform, and npm leaves such a package out when the
// registry it was locked from does not have it (seen with npm 11.19). This puts them in by name, version and platform, without
// a checksum; a platform's own npm then fetches its own and no other. Run it after each change of package-lock.json; `--check`
// (part of `npm run check`) says when that was forgotten.
import { readFileSync, writeFileSync } from "node:fs";

interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

const systems = ["android", "darwin", "linux", "win32", "freebsd", "openbsd", "netbsd", "sunos", "aix", "openharmony"];
const processors = ["x64", "arm64", "arm", "ia32", "ppc64", "s390x", "riscv64", "loong64", "mips64el", "wasm32"];

/** What such names end in: `linux-arm64-musl`, `win32-x64-msvc`, `wasm32-wasi`, `linux-arm-gnueabihf`, `linux-armv7`. */
function platformOf(name: string): { os?: string[]; cpu?: string[] } {
  const words = name.split(/[/-]/).map((word) => word.replace(/^armv\d$/, "arm").replace(/^aarch64$/, "arm64"));
  const pick = (known: readonly string[]) => words.filter((word) => known.includes(word)).slice(-1);
  const [os, cpu] = [pick(systems), pick(processors)];
  return { ...(os.length > 0 ? { os } : {}), ...(cpu.length > 0 ? { cpu } : {}) };
}

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, LockEntry> };
const { packages } = lock;
const missing: string[] = [];
for (const [path, entry] of Object.entries(packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const isThere = `node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages;
    if (isThere) continue;
    const version = /\d+\.\d+\.\d+\S*/.exec(range)?.[0];
    if (version === undefined) throw new Error(`${path}: ${name} "${range}" names no version`);
    missing.push(name);
    packages[`node_modules/${name}`] = {
      version,
      ...platformOf(name),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
    };
  }
}

if (missing.length === 0) process.exit(0);
if (process.argv.includes("--check")) {
  console.error(
    `package-lock.json lacks ${missing.length} optional packages (${missing[0]}, ...): run node scripts/complete-lock.ts`,
  );
  process.exit(1);
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${missing.length} optional packages of other platforms added`);

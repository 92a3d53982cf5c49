// Looks into everything that servers and commands printed during a run of the tests for every secret that the run has used.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where a secret stands, and of what kind it is; never the secret. */
export interface FoundSecret {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
}

/** How remember-secrets.ts tells them apart. */
const remembered = { random: "a key, ticket or token of random bytes", encrypted: "what was stored encrypted" };
type Remembered = keyof typeof remembered;

/** Our own forms: found without knowing the secret. */
const forms: readonly { readonly kind: string; readonly pattern: RegExp }[] = [
  { kind: "an API key", pattern: /tdk_[\w-]+_[\w-]{43}/g },
  { kind: "a refresh token", pattern: /tdr_[\w-]{43}/g },
  { kind: "a dev key", pattern: /todoku_dev_[\w-]{43}/g },
  { kind: "what a webhook signs with", pattern: /whsec_[\w+/]{43}=/g },
  { kind: "a token, or a key in the v2 form", pattern: /eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{20,}/g },
  // The base64 of {"endpoint": and {"api_key":
  { kind: "a key or token in the v1 form", pattern: /eyJ(?:lbmRwb2ludCI6|hcGlfa2V5Ijoi)[A-Za-z0-9+/]{40,}/g },
  { kind: "a private key", pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/g },
];

/** Of a random secret so much is looked for: a log may cut it short, and what is left must not help to guess. */
const randomPrefixLength = 20;
const indexedLength = 12;

/** Makes the directories that the processes of a run write to. */
export function makeRunDirectory(directory: string): void {
  for (const part of ["logs", "secrets"]) mkdirSync(join(directory, part), { mode: 0o700 });
}

/** Searches `logs` for the forms above and for what was written down in `secrets`. */
export function findSecrets(directory: string): FoundSecret[] {
  const index = new SecretIndex();
  for (const { made, bytes } of readSecrets(join(directory, "secrets"))) index.add(made, bytes);
  const found: FoundSecret[] = [];
  for (const file of listFiles(join(directory, "logs"))) {
    const text = readFileSync(join(directory, "logs", file), "latin1");
    const lines = new Map<string, FoundSecret>();
    const note = (at: number, kind: string) => {
      const line = lineOf(text, at);
      lines.set(`${line} ${kind}`, { file, line, kind });
    };
    for (const { kind, pattern } of forms) for (const { index: at } of text.matchAll(pattern)) note(at, kind);
    index.search(text, note);
    found.push(...lines.values());
  }
  return found;
}

/** Texts to search for at once, by their first characters. */
class SecretIndex {
  readonly #byStart = new Map<string, { readonly text: string; readonly kind: string }[]>();
  /** One bit for each start of four characters, of six bits each: nearly all places of a log are passed over by it. */
  readonly #starts = new Uint8Array(2 ** 21);

  add(made: Remembered, bytes: Buffer): void {
    const [isText, kind] = [made === "encrypted", remembered[made]];
    const encoded = [bytes.toString("base64url"), bytes.toString("base64").replace(/=+$/, ""), bytes.toString("hex")];
    for (const text of encoded) this.#addText(kind, isText ? text : text.slice(0, randomPrefixLength));
    if (!isText) return;
    this.#addText(kind, bytes.toString("latin1"));
    this.#addText(kind, Buffer.from(JSON.stringify(bytes.toString()).slice(1, -1)).toString("latin1"));
  }

  search(text: string, note: (at: number, kind: string) => void): void {
    let start = 0;
    for (let end = 0; end < text.length; end++) {
      start = ((start << 6) | (text.charCodeAt(end) & 63)) & 0xffffff;
      if (((this.#starts[start >> 3] as number) & (1 << (start & 7))) === 0) continue;
      const at = end - 3;
      for (const secret of this.#byStart.get(text.slice(at, at + indexedLength)) ?? []) {
        if (text.startsWith(secret.text, at)) note(at, secret.kind);
      }
    }
  }

  #addText(kind: string, text: string): void {
    if (text.length < indexedLength) return;
    const key = text.slice(0, indexedLength);
    const known = this.#byStart.get(key);
    if (known?.some((one) => one.text === text)) return;
    if (known) known.push({ text, kind });
    else this.#byStart.set(key, [{ text, kind }]);
    let start = 0;
    for (let at = 0; at < 4; at++) start = (start << 6) | (text.charCodeAt(at) & 63);
    this.#starts[start >> 3] = (this.#starts[start >> 3] as number) | (1 << (start & 7));
  }
}

function readSecrets(directory: string): { made: Remembered; bytes: Buffer }[] {
  return listFiles(directory).flatMap((file) =>
    readFileSync(join(directory, file), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [made, text = ""] = line.split("\t");
        return { made: made as Remembered, bytes: Buffer.from(text, "base64") };
      }),
  );
}

function listFiles(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).toSorted() : [];
}

function lineOf(text: string, at: number): number {
  let line = 1;
  for (let end = text.indexOf("\n"); end !== -1 && end < at; end = text.indexOf("\n", end + 1)) line++;
  return line;
}

import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import type { Config } from "../config/schema.ts";
import { limits } from "../domain/limits.ts";
import type { Log } from "../lib/log.ts";
import type { Deadline, TimerWheel } from "../lib/timer-wheel.ts";
import { type Certificate, type CertificatePaths, readCertificate } from "./tls-certificate.ts";

/** Network file systems tell of no changes, and a watched link's target may lie elsewhere. */
const pollMs = 60_000;
/** Certificate and key are written one after the other. */
const settleMs = 200;
const dayMs = 24 * 3600 * 1000;

/** The TLS of the one port: its certificate, and who may come without. */
export interface OpenTls {
  readonly files: TlsFiles;
  readonly plaintext: Config["tls"]["plaintext"];
}

/** What is followed needs of the server. */
interface Parts {
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly wallMs: () => number;
}

/** The TLS of a server whose configuration names certificate files; undefined for one without. @throws as {@link TlsFiles.open}. */
export async function openTls(
  { certFile, keyFile, plaintext }: Config["tls"],
  parts: Parts,
): Promise<OpenTls | undefined> {
  if (certFile === undefined || keyFile === undefined) return undefined;
  return { files: await TlsFiles.open({ certFile, keyFile }, parts), plaintext };
}

/**
 * The certificate files of a server, followed: a new pair that belongs together is given to `onChange`, anything else is logged
 * and what was there stays. Warns once a day in the last 14 days of a certificate.
 */
class TlsFiles {
  #paths: CertificatePaths;
  #current: Certificate;
  readonly #parts: Parts;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #listeners = new Set<(certificate: Certificate) => void>();
  #poll: Deadline | undefined;
  #settle: Deadline | undefined;
  #reading: Promise<void> = Promise.resolve();
  #lastFailure = "";
  #warnedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  /** @throws TodokuError `failed_precondition`: see {@link readCertificate}. */
  static async open(paths: CertificatePaths, parts: Parts): Promise<TlsFiles> {
    return new TlsFiles(paths, await readCertificate(paths), parts);
  }

  private constructor(paths: CertificatePaths, certificate: Certificate, parts: Parts) {
    this.#paths = paths;
    this.#current = certificate;
    this.#parts = parts;
    this.#watch();
    this.checkExpiry();
    this.#schedulePoll();
  }

  get current(): Certificate {
    return this.#current;
  }

  onChange(listener: (certificate: Certificate) => void): void {
    this.#listeners.add(listener);
  }

  /** Reads the files at once, others if `paths` says so, one call after the other. Rejects for others that cannot be used, and follows the old ones on. */
  async reload(paths?: CertificatePaths): Promise<void> {
    const read = this.#reading.then(() => (paths && !this.#follows(paths) ? this.#change(paths) : this.#read()));
    this.#reading = read.catch(() => {}); // whoever called that one is told
    await read;
  }

  #follows({ certFile, keyFile }: CertificatePaths): boolean {
    return certFile === this.#paths.certFile && keyFile === this.#paths.keyFile;
  }

  async #change(paths: CertificatePaths): Promise<void> {
    const certificate = await readCertificate(paths);
    if (this.#isClosed) return;
    this.#paths = paths;
    this.#unwatch();
    this.#watch();
    this.#use(certificate);
  }

  close(): void {
    this.#isClosed = true;
    this.#poll?.cancel();
    this.#settle?.cancel();
    this.#unwatch();
  }

  async #read(): Promise<void> {
    try {
      const certificate = await readCertificate(this.#paths);
      this.#lastFailure = "";
      const { cert, key } = this.#current;
      if (!this.#isClosed && !(certificate.cert.equals(cert) && certificate.key.equals(key))) this.#use(certificate);
    } catch (error) {
      const { message } = error as Error;
      // The poll finds the same again each minute.
      if (message === this.#lastFailure) return;
      this.#lastFailure = message;
      this.#parts.log.warn({ area: "tls" }, `the new certificate is not used, the old one stays: ${message}`);
    }
  }

  #use(certificate: Certificate): void {
    this.#current = certificate;
    const { names, expiresAtMs } = certificate;
    const fields = { area: "tls", names, expiresAt: new Date(expiresAtMs).toISOString() };
    for (const listener of this.#listeners) listener(certificate);
    this.#parts.log.info(fields, "new connections get the new certificate");
    this.#warnedAtMs = Number.NEGATIVE_INFINITY;
    this.checkExpiry();
  }

  /** Warns of an end that is near, once a day. */
  checkExpiry(): void {
    const nowMs = this.#parts.wallMs();
    const leftMs = this.#current.expiresAtMs - nowMs;
    if (leftMs > limits.tls.certificateWarningMs || nowMs - this.#warnedAtMs < dayMs) return;
    this.#warnedAtMs = nowMs;
    const fields = { area: "tls", expiresAt: new Date(this.#current.expiresAtMs).toISOString() };
    if (leftMs <= 0) this.#parts.log.error(fields, "the certificate has expired: clients refuse to connect");
    else this.#parts.log.warn(fields, `the certificate expires in ${Math.ceil(leftMs / dayMs)} days: renew it`);
  }

  #schedulePoll(): void {
    this.#poll = this.#parts.wheel.schedule(pollMs, () => {
      this.#schedulePoll();
      this.#watch();
      this.checkExpiry();
      void this.reload();
    });
  }

  /** The folders, not the files: what is renamed into place, or is a link as with Kubernetes and certbot, is another file each time. */
  #watch(): void {
    for (const folder of new Set([dirname(this.#paths.certFile), dirname(this.#paths.keyFile)])) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#changed());
        const forget = () => this.#watchers.delete(folder);
        watcher.on("error", () => watcher.close()).on("close", forget);
        this.#watchers.set(folder, watcher);
      } catch {
        // No folder now, or the system has no watches left: the poll looks, and tries this again.
      }
    }
  }

  #unwatch(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #changed(): void {
    this.#settle?.cancel();
    this.#settle = this.#parts.wheel.schedule(settleMs, () => void this.reload());
  }
}

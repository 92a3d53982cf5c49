import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** One entry of the shim's log; the numbers of `op` are those of power-cut.c. */
export interface LogEntry {
  readonly op: number;
  readonly path: string;
  readonly offset: number;
  readonly data: Buffer;
}

const operation = { write: 1, truncate: 2, sync: 3, unlink: 4, rename: 5, create: 6 };
const headerBytes = 24;

/** Reads the shim's log. */
export function parseLog(log: Buffer): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let at = 0; at < log.length; ) {
    const nameEnd = at + headerBytes + log.readUInt32LE(at + 4);
    const dataEnd = nameEnd + log.readUInt32LE(at + 8);
    const path = log.toString("utf8", at + headerBytes, nameEnd);
    entries.push({
      op: log.readUInt32LE(at),
      path,
      offset: Number(log.readBigInt64LE(at + 16)),
      data: log.subarray(nameEnd, dataEnd),
    });
    at = dataEnd;
  }
  return entries;
}

interface Inode {
  synced: Buffer;
  syncedLength: number;
  pending: LogEntry[];
}

type NameChange = (names: Map<string, Inode>) => void;

/** How much of what was not synced the disk kept. `random` is in [0, 1). */
export interface CutOptions {
  readonly keeps: "synced" | "some";
  readonly sectorBytes: number;
  readonly random: () => number;
}

/** A disk that knows what is synced: contents per file, names per directory sync. */
export class PowerCutDisk {
  readonly #live = new Map<string, Inode>();
  readonly #synced = new Map<string, Inode>();
  #pendingNames: NameChange[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  apply(entry: LogEntry): void {
    const { op, path } = entry;
    if (op === operation.create) {
      const inode: Inode = { synced: Buffer.alloc(0), syncedLength: 0, pending: [] };
      this.#change((names) => names.set(path, inode));
    } else if (op === operation.unlink) {
      this.#change((names) => names.delete(path));
    } else if (op === operation.rename) {
      const inode = this.#live.get(path) as Inode;
      this.#change((names) => names.delete(path) && names.set(entry.data.toString(), inode));
    } else if (op === operation.sync && path === this.#directory) {
      for (const change of this.#pendingNames.splice(0)) change(this.#synced);
    } else if (op === operation.sync) {
      const inode = this.#live.get(path);
      for (const write of inode?.pending.splice(0) ?? []) put(inode as Inode, write);
    } else {
      this.#live.get(path)?.pending.push(entry);
    }
  }

  /** What a process sees in each file, synced or not: equal to the real files, or the shim has missed something. */
  liveFiles(): Map<string, Buffer> {
    return new Map(
      [...this.#live].map(([path, inode]) => {
        const copy = copyOf(inode);
        for (const write of inode.pending) put(copy, write);
        return [path, copy.synced.subarray(0, copy.syncedLength)];
      }),
    );
  }

  /** Writes the files as the next start finds them. */
  cut(target: string, options: CutOptions): void {
    const names = new Map(this.#synced);
    // Names change in order (a journalled directory): some first part of the changes is on disk.
    const kept = options.keeps === "some" ? Math.floor(options.random() * (this.#pendingNames.length + 1)) : 0;
    for (const change of this.#pendingNames.slice(0, kept)) change(names);
    mkdirSync(target, { recursive: true });
    for (const [path, inode] of names) writeFileSync(join(target, basename(path)), contentAfterCut(inode, options));
  }

  #change(change: NameChange): void {
    change(this.#live);
    this.#pendingNames.push(change);
  }
}

function copyOf(inode: Inode): Inode {
  return { synced: Buffer.from(inode.synced), syncedLength: inode.syncedLength, pending: [] };
}

function contentAfterCut(inode: Inode, { keeps, sectorBytes, random }: CutOptions): Buffer {
  const copy = copyOf(inode);
  if (keeps === "some") {
    const share = random();
    for (const write of inode.pending) {
      if (write.op === operation.truncate) {
        if (random() < share) put(copy, write);
      } else {
        for (const piece of sectorsOf(write, sectorBytes)) if (random() < share) put(copy, piece);
      }
    }
  }
  return copy.synced.subarray(0, copy.syncedLength);
}

function* sectorsOf(write: LogEntry, sectorBytes: number): Generator<LogEntry> {
  const end = write.offset + write.data.length;
  for (let from = write.offset; from < end; ) {
    const to = Math.min(end, (Math.floor(from / sectorBytes) + 1) * sectorBytes);
    yield { ...write, offset: from, data: write.data.subarray(from - write.offset, to - write.offset) };
    from = to;
  }
}

function put(inode: Inode, { op, offset, data }: LogEntry): void {
  const end = op === operation.truncate ? offset : offset + data.length;
  if (end > inode.synced.length) {
    const larger = Buffer.alloc(Math.max(end, inode.synced.length * 2));
    inode.synced.copy(larger);
    inode.synced = larger;
  }
  if (op === operation.truncate) {
    inode.synced.fill(0, offset);
    inode.syncedLength = offset;
  } else {
    data.copy(inode.synced, offset);
    inode.syncedLength = Math.max(inode.syncedLength, end);
  }
}

import type { Buffer } from "node:buffer";
import type { Claims } from "./caller.ts";

/** A request for a function, read. */
export interface FunctionCall {
  readonly method: string;
  /** As it was sent, behind what names the function or the API; `/` when there is nothing. */
  readonly path: string;
  /** Without the question mark. */
  readonly rawQuery: string;
  /** In order, with their spelling; those of one hop are not among them, and who speaks for whom is known. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly contentType: string | undefined;
  readonly body: Buffer;
  /** The client's. */
  readonly address: string;
  readonly userAgent: string;
  /** Host and port, as the client wrote them. */
  readonly domainName: string;
  /** `HTTP/1.1`. */
  readonly protocol: string;
  /** A UUID. */
  readonly requestId: string;
  readonly environment: string;
  /** Undefined: the function is for anybody. */
  readonly claims: Claims | undefined;
  /** Wall time. */
  readonly nowMs: number;
}

/** The first label of a host's name: what AWS calls the domain's prefix. */
export function labelOf(domainName: string): string {
  return domainName.split(/[.:]/, 1)[0] ?? "";
}

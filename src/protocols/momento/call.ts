import type { IncomingHttpHeaders } from "node:http";
import type { Caller } from "../../domain/auth/principal.ts";
import type { TodokuError } from "../../domain/errors.ts";
import type { Encoding } from "../../domain/topics/subscription.ts";
import type { ResumePlaces } from "./resume-places.ts";

/** One RPC, as the services see it: they do not know whether it came as gRPC or as grpc-web. An envelope implements it. */
export interface Call {
  readonly caller: Caller;
  /** All of its metadata. */
  readonly headers: IncomingHttpHeaders;
  /** Raw key or token of the `authorization` metadata; "" when there is none. */
  readonly authorization: string;
  /** The `cache` metadata, which names the cache of all Scs calls. */
  readonly cacheName: string;
  /** How long the client waits for the whole call; undefined = forever. */
  readonly timeoutMs: number | undefined;
  /** The request message, without its prefix. */
  readonly request: Uint8Array;
}

/** A call that is answered by many messages. */
export interface StreamCall extends Call {
  /** Shared by all streams of the same envelope, so that they share frames. */
  readonly encoding: Encoding;
  /** Where an early-ended first stream leaves its position; undefined where the client has no such habit (grpc-web). */
  readonly resumePlaces: ResumePlaces | undefined;
  /** Sends the response head. Once, before anything else. `hasEnd`: the client takes what it gets for the whole answer, so none of it is left out. */
  open(hasEnd?: boolean): void;
  /** False: taken, but write no more until the listener of `start` is called. Nothing happens on a closed stream. */
  write(frame: Uint8Array): boolean;
  /** So many bytes are about to wait for the client, 0: none. @throws TodokuError `unavailable`: too many wait for all clients together. */
  hold(bytes: number): void;
  /** Says that the stream lives, unless its buffer is full. */
  beat(): void;
  /** The stream is over: without an error, or with one in the trailers. */
  end(error?: TodokuError): void;
  /**
   * Calls `listener` when items may be written: at once if there is room, and again each time a full buffer has drained. It
   * returns whether there is something that it now reads from the log.
   */
  start(listener: () => boolean): void;
  /** The stream is gone, whoever ended it. Called at once when it is gone already. */
  onClose(listener: () => void): void;
}

/** Answers with one message, or throws a TodokuError. */
type UnaryHandler = (call: Call) => Uint8Array | Promise<Uint8Array>;

/** Answers on the call itself; what it throws before `open` becomes the call's error. */
type StreamHandler = (call: StreamCall) => Promise<void>;

/** What a path like `/cache_client.Scs/Get` leads to. */
export type Method =
  | { readonly kind: "unary"; readonly handle: UnaryHandler }
  | { readonly kind: "stream"; readonly handle: StreamHandler };

/** All methods that we serve, by path; any other is UNIMPLEMENTED. */
export type Methods = ReadonlyMap<string, Method>;

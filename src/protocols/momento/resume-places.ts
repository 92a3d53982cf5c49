import { limits } from "../../domain/limits.ts";
import type { Position } from "../../domain/topics/position.ts";

/** Where a stream began that we ended before its deadline. */
export interface ResumePlace {
  /** Credential, cache and topic in one string. */
  readonly key: string;
  readonly position: Position;
  readonly hasSentItems: boolean;
  readonly madeAtMs: number;
}

/**
 * The Node SDK puts its client timeout (5 s) on the first stream of a subscription and comes back without one, on the same
 * connection; when it has received nothing it asks for "from now on" and would lose what came in between (Momento
 * reference 4, option ii). So the first stream is ended in good time, and its return continues from where that one began.
 * One book per HTTP/2 session; it goes with the session.
 */
export class ResumePlaces {
  #places: ResumePlace[] = [];

  add(place: ResumePlace): void {
    if (this.#places.length >= limits.resumePlacesPerSession) this.#places.shift();
    this.#places.push(place);
  }

  /** Takes the oldest of `key`, preferring one whose stream had sent nothing: that one must be asking from 0. */
  take(key: string, nowMs: number): ResumePlace | undefined {
    return this.#remove(key, nowMs, (place) => !place.hasSentItems);
  }

  /** A stream came back with a position of its own: its place is used up. */
  drop(key: string, nowMs: number): void {
    this.#remove(key, nowMs, (place) => place.hasSentItems);
  }

  #remove(key: string, nowMs: number, isPreferred: (place: ResumePlace) => boolean): ResumePlace | undefined {
    this.#places = this.#places.filter((place) => place.madeAtMs > nowMs - limits.resumePlaceMs);
    const own = this.#places.filter((place) => place.key === key);
    const found = own.find(isPreferred) ?? own[0];
    if (found) this.#places.splice(this.#places.indexOf(found), 1);
    return found;
  }
}

import { readFileSync } from "node:fs";

/** Todoku's own version; package.json lies two folders up from here in src and in dist alike. */
export const version: string = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;

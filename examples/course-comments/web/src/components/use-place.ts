import { useSyncExternalStore } from "react";
import { courses, type Language, languageCodes } from "../../../shared/catalog.ts";

/** Where the user is. It stands behind the # of the address, so that it can be bookmarked and gone back from. */
export type Place =
  | { readonly view: "comments"; readonly courseId: string }
  | { readonly view: "poll" }
  | { readonly view: "chat"; readonly language: Language };

export function usePlace(): Place {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return parsePlace(hash);
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener("hashchange", onChange);
  return () => window.removeEventListener("hashchange", onChange);
}

/** Whatever is no place leads to the first course; a chat without a language to that of the browser. */
export function parsePlace(hash: string): Place {
  const [view, id] = hash.replace(/^#/, "").split("/");
  if (view === "poll") return { view };
  if (view === "chat") return { view, language: languageCodes.find((code) => code === id) ?? browserLanguage() };
  const course = courses.find((one) => one.id === id) ?? courses[0];
  return { view: "comments", courseId: course?.id ?? "" };
}

function browserLanguage(): Language {
  return languageCodes.find((code) => navigator.language.startsWith(code)) ?? "en";
}

export function addressOf(place: Place): string {
  if (place.view === "comments") return `#comments/${place.courseId}`;
  return place.view === "chat" ? `#chat/${place.language}` : "#poll";
}

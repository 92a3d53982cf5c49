// What there is to comment, to vote on and to speak. A product would keep it in its database; the page, the API and the receiver read it.

/** A course that may be commented. */
export interface Course {
  readonly id: string;
  readonly title: string;
  readonly teacher: string;
}

export const courses: readonly Course[] = [
  { id: "bread", title: "Bread, slowly", teacher: "Marie Dubois" },
  { id: "kanji", title: "A hundred kanji", teacher: "Kenji Mori" },
  { id: "stars", title: "How stars are born", teacher: "Lena Vogt" },
];

/** A question with one vote for each user. */
export interface Poll {
  readonly id: string;
  readonly question: string;
  readonly options: readonly { readonly id: string; readonly text: string }[];
}

export const poll: Poll = {
  id: "live-lesson",
  question: "When shall the live lesson be?",
  options: [
    { id: "morning", text: "In the morning" },
    { id: "noon", text: "At noon" },
    { id: "evening", text: "In the evening" },
    { id: "weekend", text: "At the weekend" },
  ],
};

/** Languages of the chat: one room for each. */
export const languages = { en: "English", de: "Deutsch", ja: "日本語", fr: "Français" } as const;

export type Language = keyof typeof languages;

export const languageCodes = Object.keys(languages) as Language[];

/** How long a comment or a line of the chat may be, in UTF-16 units as a browser's `maxlength` counts. */
export const textMaxLength = 1000;

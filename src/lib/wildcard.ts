/**
 * Does `pattern` cover `text`? `*` stands for any characters, `?` for one. Takes at most the product of both lengths, unlike a regular expression of
 * many stars.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  let at = 0;
  let inText = 0;
  /** Behind the last star, and how much of the text it stands for. */
  let afterStar = -1;
  let starEnd = 0;
  while (inText < text.length) {
    const char = pattern[at];
    if (char === "*") {
      afterStar = ++at;
      starEnd = inText;
    } else if (char !== undefined && (char === "?" || char === text[inText])) {
      at++;
      inText++;
    } else if (afterStar >= 0) {
      // The star takes one character more, and what follows it is tried again.
      at = afterStar;
      inText = ++starEnd;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

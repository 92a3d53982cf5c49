/**
 * The members of a list in form fields, in the order of their numbers: of `Attribute.1.Name=a&Attribute.1.Value=b` under `Attribute`
 * one member with the fields `Name` and `Value`; of `AttributeName.1=All` one with the field "". A member is a form again: a list
 * within it is read the same way. Numbers only give the order: whoever writes 1 and 1,000,000 has sent two.
 * @param names where it may stand, like `MessageAttribute` and `MessageAttributes.entry`.
 */
export function readList(form: URLSearchParams, ...names: readonly string[]): URLSearchParams[] {
  const members = new Map<number, URLSearchParams>();
  for (const [field, value] of form) {
    const name = names.find((one) => field.startsWith(`${one}.`));
    if (name === undefined) continue;
    const [, digits = "", rest = ""] = /^([1-9]\d{0,8})(?:\.(.*))?$/s.exec(field.slice(name.length + 1)) ?? [];
    if (digits === "") continue;
    const number = Number(digits);
    const member = members.get(number) ?? new URLSearchParams();
    members.set(number, member);
    member.append(rest, value);
  }
  return [...members].sort(([a], [b]) => a - b).map(([, member]) => member);
}

/** The same for a list of texts. */
export function readTexts(form: URLSearchParams, ...names: readonly string[]): string[] {
  return readList(form, ...names).flatMap((member) => member.getAll("").slice(0, 1));
}

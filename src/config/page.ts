import { z } from "zod";
import { defaultOf, type Field, fieldsOf, type Member, membersOf, valueAt } from "./fields.ts";
import { modeDefaults } from "./schema.ts";

/** docs/reference/config.md: what the schema says, as a page. */
export function configPage(): string {
  const header = ["field", "flag", "environment variable", "default", "values", "live", ""];
  const rows = fieldsOf().flatMap((field) => [
    [
      `\`${field.path}\``,
      `\`${field.flag}\``,
      `\`${field.variable}\``,
      showDefault(field),
      valuesOf(field),
      field.isLive ? "yes" : "",
      `${field.description}${field.isDevOnly ? " Dev mode only." : ""}`,
    ],
    ...membersOf(field).map((member) => memberRow(member, field.isLive)),
  ]);
  return `${introduction}\n${table([header, ...rows])}\n${notes}`;
}

/** Of what each object of a list has: it is set with the list. */
function memberRow(member: Member, isLive: boolean): readonly string[] {
  const { path, isRequired, defaultValue, description } = member;
  const value = defaultValue === undefined ? "none" : `\`${JSON.stringify(defaultValue)}\``;
  return [
    `\`${path}\``,
    "",
    "",
    isRequired ? "must be given" : value,
    valuesOf(member),
    isLive ? "yes" : "",
    description,
  ];
}

function showDefault(field: Field): string {
  const value = defaultOf(field, "production");
  const inDev = valueAt(modeDefaults.dev, field.path);
  const shown = value === undefined ? "none" : `\`${JSON.stringify(value)}\``;
  return inDev === undefined || inDev === value ? shown : `${shown}; dev mode \`${JSON.stringify(inDev)}\``;
}

/** What the schema lets through, as far as a table can say it. */
function valuesOf({ schema }: Pick<Field, "schema">): string {
  const json = z.toJSONSchema(schema, { unrepresentable: "any" });
  if (json.enum) return json.enum.map((value) => `\`${value}\``).join(", ");
  if (json.type === "boolean") return "`true`, `false`";
  if (json.type === "array") return listOf(json);
  if (json.type === "object") {
    const { additionalProperties: value } = json;
    if (typeof value === "object" && value.type === "object" && value.properties) {
      return "objects by name, with the fields below";
    }
    const words = typeof value === "object" ? value.enum?.map((word) => `\`${String(word)}\``) : undefined;
    return `names with ${words?.join(" or ") ?? "values"}`;
  }
  if (json.type !== "integer" && json.type !== "number") return "text";
  const bound = (value: number) => value.toLocaleString("en");
  const kind = json.type === "integer" ? "whole, " : "";
  return `${kind}${bound(json.minimum ?? Number.NEGATIVE_INFINITY)} to ${bound(json.maximum ?? Number.POSITIVE_INFINITY)}`;
}

function listOf({ items }: z.core.JSONSchema.BaseSchema): string {
  if (typeof items !== "object" || Array.isArray(items)) return "a list";
  if (items.enum) return `a list of ${items.enum.map((value) => `\`${value}\``).join(", ")}`;
  return items.type === "object" ? "a list of objects, with the fields below" : "a list";
}

/** Padded, so that the page reads as text too. */
function table([header = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => (row[i] as string).length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] as number)).join(" | ")} |\n`;
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("");
}

const introduction = `# Configuration

What \`todoku start\` and \`todoku dev\` may be told. This page is made by \`todoku config docs\` from \`src/config/schema.ts\`.

A field is set by its flag, else its environment variable, else a file (\`--config FILE\` or \`TODOKU_CONFIG\`; YAML or JSON), else its default. In a
file a dot is a group, \`[]\` stands for each object of a list, and \`<name>\` for a name of your own:

\`\`\`yaml
port: 9000
trustedProxies: [10.0.0.0/8]
gateway:
  endpoints:
    - path: /push
log:
  level: warn
  areas: { http: debug }
\`\`\`

\`todoku config check\` says whether it is right (also what a start would refuse, and the files that it names; the data directory need not be there, no command is run), \`todoku config print\` shows each value that counts and what set it (secret ones masked). Both
take the same flags, and \`--dev\` for the defaults of dev mode. A wrong value or an unknown key ends the start with exit code 2 and a line that
names the field, where it was set, the value and the bound; what must not be so in production (no master key, no TLS), and a file that cannot be used, with 1 and what to do.

**live**: SIGHUP reads all sources again and changes it without a restart. If anything is wrong then, it is logged and everything stays as it was.
`;

const notes = `- In a flag or an environment variable a list is separated by commas, names with values are written \`http=debug,engine=warn\`, a yes or no is \`true\` or
  \`false\`. A list of objects, and objects by name, are written as JSON. A flag that takes a list of values may be given several times. A variable that is set to nothing counts as not set; a \`TODOKU_\` variable that
  nobody reads is warned about.
- An origin of \`devOrigins\` is written as the browser sends it: scheme, host and port, no path, no slash at the end.
- A name in \`outbound.allow\` may lead anywhere; \`*.example\` stands for all names below \`example\`, not for itself. Other names with a dot are looked up at the name
  servers alone: one that only \`/etc/hosts\` knows has to be listed.
- Relative paths start at the working directory, those in a file too; only the \`directory\` of a handler starts at the folder of its file.
- The least serious line that is written is that of its environment in \`log.environments\`, else of its area in \`log.areas\`, else \`log.level\`.

Not fields of the server: \`TODOKU_CONFIG\` names the file; \`TODOKU_MASTER_KEY\` may hold the master key itself; \`TODOKU_URL\` and \`TODOKU_API_KEY\` are
read by the client commands ([command-line.md](../guides/command-line.md)).
`;

import { type Command, Option } from "commander";
import { defaultOf, type Field, fieldsOf, wordsOf } from "../../config/fields.ts";
import { type ConfigSources, type LoadedConfig, loadConfig } from "../../config/load.ts";
import type { Mode } from "../../config/schema.ts";

const configOption = new Option("--config <file>", "YAML or JSON file with these settings (default: $TODOKU_CONFIG)");

/** Adds `--config` and a flag for each field; those of dev mode only where it is. */
export function withConfigFlags(command: Command, mode: Mode): Command {
  command.addOption(configOption);
  for (const { option } of flagsOf(mode)) command.addOption(option);
  return command;
}

/** The configuration of a command that has these flags; `defaults` are those of `mode` unless another is named. @throws ConfigError. */
export function loadFor(
  mode: Mode,
  options: Readonly<Record<string, unknown>>,
  env: ConfigSources["env"],
  defaults: Mode = mode,
): LoadedConfig {
  const flags = flagsOf(mode).map(({ field, option }) => [field.path, options[option.attributeName()]]);
  const file = typeof options.config === "string" ? options.config : undefined;
  return loadConfig({ mode: defaults, flags: Object.fromEntries(flags), env: env ?? {}, file });
}

function flagsOf(mode: Mode): readonly { field: Field; option: Option }[] {
  return fieldsOf()
    .filter(({ isDevOnly }) => mode === "dev" || !isDevOnly)
    .map((field) => ({ field, option: new Option(`${field.flag}${valueName[field.kind]}`, helpOf(field, mode)) }));
}

/** With the words that it may be, and what it is where nobody says. */
function helpOf(field: Field, mode: Mode): string {
  const words = wordsOf(field);
  const value = defaultOf(field, mode);
  const isSaid = typeof value === "string" || typeof value === "number";
  const facts = [...(words ? [words.join(", ")] : []), ...(isSaid ? [`default: ${value}`] : [])];
  return facts.length === 0 ? field.description : `${field.description} (${facts.join("; ")})`;
}

const valueName: Readonly<Record<Field["kind"], string>> = {
  text: " <value>",
  number: " <number>",
  boolean: "",
  list: " <value...>",
  objects: " <json>",
  map: " <name=value,...>",
};

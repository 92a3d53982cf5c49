import { type Command, Option } from "commander";
import { shownValue } from "../../config/fields.ts";
import type { LoadedConfig, Setting } from "../../config/load.ts";
import { configPage } from "../../config/page.ts";
import type { Mode } from "../../config/schema.ts";
import { silentLog } from "../../lib/log.ts";
import { loadFor, withConfigFlags } from "./config-flags.ts";
import { type CommandIo, processIo } from "./io.ts";

type Options = Readonly<Record<string, unknown>> & { readonly dev?: boolean; readonly json?: boolean };

/** `todoku config print|check|docs`: what a server would be told, without starting it. */
export function registerConfig(program: Command, io: CommandIo = processIo): void {
  const config = program.command("config").description("show and check the configuration of a server");
  const load = (options: Options): LoadedConfig => {
    const loaded = loadFor("dev", options, io.env, modeOf(options));
    for (const warning of loaded.warnings) io.stderr.write(`warning: ${warning}\n`);
    return loaded;
  };
  const withFlags = (command: Command) =>
    withConfigFlags(command.addOption(new Option("--dev", "with the defaults of todoku dev")), "dev");

  withFlags(config.command("print").description("print each value that counts, and what set it"))
    .option("--json", "print JSON")
    .action((options: Options) => {
      const { settings } = load(options);
      io.stdout.write(options.json === true ? toJson(settings) : toText(settings));
    });
  withFlags(
    config
      .command("check")
      .description(
        "say whether the configuration is right: what a start would refuse, and the files that it names; it runs no command",
      ),
  )
    .option("--json", "print JSON")
    .action(async (options: Options) => {
      const { config: checked } = load(options);
      // Loaded here: the client commands need none of it.
      const { checkStart } = await import("../../server/check-start.ts");
      const log = { ...silentLog, warn: (_: object, warning: string) => void io.stderr.write(`warning: ${warning}\n`) };
      await checkStart(checked, modeOf(options), { ...io.env }, log);
      io.stdout.write(options.json === true ? '{"ok":true}\n' : "the configuration is right\n");
    });
  config
    .command("docs")
    .description("print docs/reference/config.md")
    .action(() => void io.stdout.write(configPage()));
}

function modeOf({ dev }: Options): Mode {
  return dev === true ? "dev" : "production";
}

function toText(settings: readonly Setting[]): string {
  const rows = settings.map((setting) => [setting.field.path, JSON.stringify(shown(setting)) ?? "-", setting.source]);
  const widths = [0, 1].map((i) => Math.max(...rows.map((row) => (row[i] as string).length)));
  const line = ([path = "", value = "", source]: readonly string[]) =>
    `${path.padEnd(widths[0] as number)}  ${value.padEnd(widths[1] as number)}  ${source}`;
  return `${rows.map(line).join("\n")}\n`;
}

/** `null` for what is not set. */
function toJson(settings: readonly Setting[]): string {
  const rows = settings.map((setting) => [
    setting.field.path,
    { value: shown(setting) ?? null, source: setting.source },
  ]);
  return `${JSON.stringify(Object.fromEntries(rows), null, 2)}\n`;
}

function shown({ field, value }: Setting): unknown {
  return shownValue(field, value);
}

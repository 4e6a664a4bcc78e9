import { Command, Option } from "commander";
import { configKeys, flagOf, showValue, type ConfigKey } from "../training/config-keys.js";
import { UserError } from "../util/errors.js";

/** `breakwater train`: its flags and help are made from the schema of the configuration. */
export function trainCommand(): Command {
  const command = new Command("train")
    .description("Train a policy (sft, grpo, gdpo, mrpo), or continue a run. Every key of the config file is a flag too.")
    .option("-c, --config <file>", "YAML or JSON file; relative paths in it start at its folder")
    .option("--resume <run>", "continue a run from its newest whole checkpoint, with its own configuration")
    .option("--plain", "one line a step, also on a terminal")
    .optionsGroup("Keys of the configuration:");
  for (const key of configKeys()) {
    command.addOption(optionOf(key, flagOf(key.path)));
    // The spelling of the config file works too.
    if (flagOf(key.path) !== `--${key.path}`) command.addOption(optionOf(key, `--${key.path}`).hideHelp());
  }
  return command.action(async (options: Record<string, string | boolean | undefined>) => {
    const { config: file, resume: run, plain, ...flags } = options;
    const overrides = Object.fromEntries(
      Object.entries(flags).flatMap(([path, value]) => (value === undefined ? [] : [[path, value === true ? "true" : String(value)]])),
    );
    if (typeof run === "string" && (file !== undefined || Object.keys(overrides).length > 0)) {
      const given = file !== undefined ? "--config" : flagOf(Object.keys(overrides)[0]);
      throw new UserError(`${given}: a resumed run keeps its configuration; leave it out, or start a new run without --resume`);
    }
    const { runTraining } = await import("./run-training.js");
    await runTraining({
      file: typeof file === "string" ? file : null,
      overrides,
      resume: typeof run === "string" ? run : null,
      plain: plain === true,
    });
  });
}

function optionOf(key: ConfigKey, flag: string): Option {
  const value = key.kind === "boolean" ? "[true|false]" : `<${key.choices?.join("|") ?? key.kind}>`;
  const shown = key.defaultValue === undefined ? "" : ` (default: ${showValue(key.defaultValue) || "none"})`;
  return new Option(`${flag} ${value}`, `${key.description}${shown}`);
}

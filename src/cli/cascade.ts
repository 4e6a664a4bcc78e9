import { Command } from "commander";

export function cascadeCommand(): Command {
  return new Command("cascade")
    .description("Where chains first fail and how errors accumulate: JSON Lines in, one JSON object out.")
    .argument("[file]", "JSON Lines of {id, valid: [true|false|null, …]}; standard input where not given")
    .action(async (file: string | undefined) => {
      const [{ runFilter }, { cascadeFilter }] = await Promise.all([import("./filter.js"), import("./cascade-filter.js")]);
      await runFilter(file, cascadeFilter);
    });
}

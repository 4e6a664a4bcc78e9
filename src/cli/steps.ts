import { Command, Option } from "commander";

export function stepsCommand(): Command {
  return new Command("steps")
    .description("Completions to reasoning steps: JSON Lines in, JSON Lines out.")
    .argument("[file]", "JSON Lines of {id, text, thinkTag?, opened?}; standard input where not given")
    .addOption(
      new Option("--think-tag <tag>", "think tag of lines that name none").choices(["think", "thinking"]).default("think"),
    )
    .option("--opened", "the prompt has opened the think tag: text before any tag is think text", false)
    .addHelpText("after", '\nOut: {"id", "answer": string|null, "steps": [{"text", "start", "end"}]}; UTF-16 offsets, end exclusive.')
    .action(async (file: string | undefined, options: { thinkTag: "think" | "thinking"; opened: boolean }) => {
      const [{ runFilter }, { stepsFilter }] = await Promise.all([import("./filter.js"), import("./steps-filter.js")]);
      await runFilter(file, (io) => stepsFilter(io, options));
    });
}

import { Command } from "commander";

export function shapeCommand(): Command {
  return new Command("shape")
    .description("Rewards and step verdicts to advantages of tokens: JSON Lines in, JSON Lines out.")
    .argument("[file]", "JSON Lines, one group a line; standard input where not given")
    .addHelpText(
      "after",
      `
In:  {"id", "method": "mrpo"|"grpo"|"gdpo", "options"?: {…}, "rollouts": [{"rewards": {"answer", "process", "length"},
      "tokens": T, "steps": [{"start", "end", "valid": true|false|null}]}]}; token spans, end exclusive;
      null: could not be scored
Out: {"id", "advantages": [G], "tokenAdvantages": [G][T]}
Options: decay exponential|linear|uniform|none, tau, flipValid, answerGate, weights {answer, process, length},
      normalise std|none, shaping paper|own-fact|origin-blame|bounded|confidence-aware|token-confidence,
      penaltyCap, inheritedPenalty`,
    )
    .action(async (file: string | undefined) => {
      const [{ runFilter }, { shapeFilter }] = await Promise.all([import("./filter.js"), import("./shape-filter.js")]);
      await runFilter(file, shapeFilter);
    });
}

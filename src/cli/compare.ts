import { Command } from "commander";
import type { EvaluationFile } from "../evaluation/file.js";

export function compareCommand(): Command {
  return new Command("compare")
    .description("Put evaluated runs side by side, with the paired differences of each to the first.")
    .argument("<paths...>", "run folders (their newest evaluation made alike) or files of breakwater eval")
    .option("--json <file>", "write the comparison as JSON")
    .option("--markdown", "print the table as Markdown")
    .action(async (paths: string[], options: { json?: string; markdown?: boolean }) => {
      const [{ evaluationsOf }, { compareSystems }, { comparisonTable }, { markdownTable, terminalTable }, { writeFileAtomic }] =
        await Promise.all([
          import("../evaluation/run-evaluations.js"),
          import("../evaluation/compare.js"),
          import("../report/compare-table.js"),
          import("../report/tables.js"),
          import("../util/atomic-file.js"),
        ]);
      const evaluations = evaluationsOf(paths);
      const comparison = compareSystems(evaluations.map(({ name, chains }) => ({ name, chains })));
      const table = comparisonTable(comparison);
      process.stdout.write(`${options.markdown ? markdownTable(table) : terminalTable(table)}\n\n`);
      const questions = comparison.differences.map(({ to, questions }) => `${to}: ${questions}`).join(", ");
      process.stdout.write(
        "Brackets: 95% bootstrap intervals over questions." +
          (questions === "" ? "\n" : ` Differences in percentage points (numbers: in their unit) over shared questions (${questions}); * leaves out 0.\n`),
      );
      for (const warning of differingSettings(evaluations)) process.stderr.write(`breakwater: ${warning}\n`);
      if (options.json !== undefined) writeFileAtomic(options.json, `${JSON.stringify(comparison, null, 2)}\n`);
    });
}

/** Evaluations made in different ways can be compared, but not without being told. */
function differingSettings(evaluations: readonly EvaluationFile[]): string[] {
  const keys = ["data", "split", "temperature", "maxTokens", "samplesPerQuestion", "judge", "answerScorer"] as const;
  return keys.flatMap((key) => {
    const values = [...new Set(evaluations.map(({ settings }) => JSON.stringify(settings[key])))];
    return values.length > 1 ? [`the evaluations differ in ${key}: ${values.join(", ")}`] : [];
  });
}

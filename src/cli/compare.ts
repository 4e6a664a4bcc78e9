import { Command } from "commander";
import type { EvaluationFile } from "../evaluation/file.js";
import { outliveReader } from "./pipe.js";

interface CompareFlags {
  readonly json?: string;
  readonly markdown?: string;
  readonly html?: string;
  readonly title: string;
}

export function compareCommand(): Command {
  return new Command("compare")
    .description("Put systems side by side over their data sets, with the paired differences of each to the first.")
    .argument("<paths...>", "run folders (their newest evaluation made alike), and files of eval, eval answers, eval reasoning or infer; NAME=PATH names a system, files of one name are one system")
    .option("--json <file>", "write the comparison as JSON")
    .option("--markdown <file>", "write the tables as Markdown (a .md file; - prints them)")
    .option("--html <file>", "write a page with tables and figures (a .html file)")
    .option("--title <text>", "title of the page", "Comparison")
    .action(compare);
}

async function compare(paths: string[], flags: CompareFlags): Promise<void> {
  outliveReader();
  const [{ openSystems }, { compareResults }, { comparisonHtml, comparisonMarkdown, comparisonNote, comparisonTables }, { terminalTable }, { writeFileAtomic }, { UserError }] = await Promise.all([
    import("../evaluation/systems.js"),
    import("../evaluation/compare-results.js"),
    import("../report/comparison.js"),
    import("../report/tables.js"),
    import("../util/atomic-file.js"),
    import("../util/errors.js"),
  ]);
  // A forgotten file name would take the first system for it, and overwrite it.
  const { markdown, html, json } = flags;
  if (markdown !== undefined && markdown !== "-" && !/\.(md|markdown)$/i.test(markdown)) throw new UserError(`--markdown ${markdown}: name a file that ends in .md, or - to print`);
  if (html !== undefined && !/\.html?$/i.test(html)) throw new UserError(`--html ${html}: name a file that ends in .html`);
  if (json !== undefined && !/\.json$/i.test(json)) throw new UserError(`--json ${json}: name a file that ends in .json`);
  if (json !== undefined && paths.some((path) => path === json || path.endsWith(`=${json}`))) throw new UserError(`--json ${json}: this file is one of those that are compared`);
  const { systems, evaluations, warnings } = openSystems(paths);
  const comparison = compareResults(systems);
  if (markdown === "-") process.stdout.write(comparisonMarkdown(comparison));
  else {
    const tables = comparisonTables(comparison);
    const captions = tables.length > 1;
    process.stdout.write(`${tables.map(({ caption, table }) => `${captions ? `${caption}\n` : ""}${terminalTable(table)}`).join("\n\n")}\n\n${comparisonNote(comparison)}\n`);
  }
  for (const warning of [...differingSettings(evaluations), ...warnings]) process.stderr.write(`breakwater: ${warning}\n`);
  const write = (path: string, text: string): void => {
    writeFileAtomic(path, text);
    if (markdown !== "-") process.stdout.write(`wrote ${path}\n`);
  };
  if (markdown !== undefined && markdown !== "-") write(markdown, comparisonMarkdown(comparison));
  if (json !== undefined) write(json, `${JSON.stringify(comparison, null, 2)}\n`);
  if (html !== undefined) write(html, comparisonHtml(systems, comparison, flags.title));
}

/** Evaluations made in different ways can be compared, but not without being told. */
function differingSettings(evaluations: readonly EvaluationFile[]): string[] {
  const keys = ["data", "split", "temperature", "maxTokens", "samplesPerQuestion", "judge", "answerScorer"] as const;
  return keys.flatMap((key) => {
    const values = [...new Set(evaluations.map(({ settings }) => JSON.stringify(settings[key])))];
    return values.length > 1 ? [`the evaluations differ in ${key}: ${values.join(", ")}`] : [];
  });
}

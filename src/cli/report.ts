import { Command } from "commander";

export function reportCommand(): Command {
  return new Command("report")
    .description("Write one self-contained HTML file: tables, learning curves, where chains fail, and a gallery of chains.")
    .argument("<paths...>", "run folders, and evaluation files for models without a run; runs of one method are averaged")
    .option("--out <file>", "file to write", "report.html")
    .option("--title <text>", "title of the report")
    .action(async (paths: string[], options: { out: string; title?: string }) => {
      const [{ statSync }, { resolve }, { collectRuns, evaluationOnly }, { readEvaluation }, { writeReport }, { UserError }] =
        await Promise.all([
          import("node:fs"),
          import("node:path"),
          import("../report/collect.js"),
          import("../evaluation/file.js"),
          import("../report/html.js"),
          import("../util/errors.js"),
        ]);
      const kinds = paths.map((path) => {
        const found = statSync(path, { throwIfNoEntry: false });
        if (found === undefined) throw new UserError(`${path}: no such run folder or evaluation file`);
        return { path, folder: found.isDirectory() };
      });
      const files = kinds.filter(({ folder }) => !folder).map(({ path }) => evaluationOnly(readEvaluation(path)));
      const runs = [...files, ...collectRuns(kinds.filter(({ folder }) => folder).map(({ path }) => path))];
      const methods = [...new Set(runs.map((run) => run.method))];
      const title = options.title ?? (runs.length === 1 ? `Run ${runs[0].name}` : `Runs: ${methods.join(", ")}`);
      await writeReport({ title, runs }, options.out);
      process.stdout.write(`wrote ${resolve(options.out)}\n`);
    });
}

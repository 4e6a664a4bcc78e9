import { Command } from "commander";
import { atLeast } from "./whole-number.js";

interface CheckFlags {
  readonly against?: string;
  readonly json?: string;
  readonly limit: number;
}

/** `breakwater data check`: faults of a data set. */
export function dataCheckCommand(): Command {
  return new Command("check")
    .description("Check a data set: unreadable and missing images, duplicates within and across train and test, answers in questions, gold reasoning. Exit code 1 where there is an error.")
    .argument("<dataset>", "folder or file: ours, the reference's format, VQA-RAD's")
    .option("--against <dataset>", "another data set (a test set) that must not overlap with it")
    .option("--json <file>", "write all findings there; - prints them instead of the table")
    .option("--limit <n>", "findings shown of each kind", atLeast(0), 3)
    .action(async (dataset: string, flags: CheckFlags) => {
      const [{ checkDataset }, { checkTable, findingList }, { terminalTable }, { loadImage }, { writeFileAtomic }, { listenForStop }] = await Promise.all([
        import("../datasets/check/check.js"),
        import("../datasets/check/table.js"),
        import("../report/tables.js"),
        import("../images/load.js"),
        import("../util/atomic-file.js"),
        import("./stop-signal.js"),
      ]);
      const live = process.stderr.isTTY;
      const stop = listenForStop("stopped; nothing was written");
      const report = await checkDataset(dataset, {
        against: flags.against,
        load: loadImage,
        signal: stop.signal,
        onProgress: (done, total) => {
          if (live) process.stderr.write(`\r${done} of ${total} images${done === total ? "\r\u001b[K" : ""}`);
        },
      }).finally(stop.close);
      const json = `${JSON.stringify(report, null, 1)}\n`;
      if (flags.json === "-") process.stdout.write(json);
      else {
        const parts = Object.entries(report.parts).map(([part, count]) => `${part} ${count}`);
        process.stdout.write(`${report.rows} rows${parts.length > 0 ? ` (${parts.join(", ")})` : ""}, ${report.images} images\n\n`);
        process.stdout.write(report.findings.length === 0 ? "Nothing found.\n" : `${terminalTable(checkTable(report))}\n\n${findingList(report, flags.limit)}`);
        if (flags.json !== undefined) {
          writeFileAtomic(flags.json, json);
          process.stdout.write(`wrote ${flags.json}\n`);
        }
      }
      if (report.counts.error > 0) process.exitCode = 1;
    });
}

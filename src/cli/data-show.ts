import { Command } from "commander";
import { atLeast } from "./whole-number.js";

interface ShowFlags {
  readonly html?: string;
  readonly json?: string;
  readonly limit?: number;
}

/** `breakwater data show`: what is in a data set. */
export function dataShowCommand(): Command {
  return new Command("show")
    .description("Show a data set: counts by set, question kind, answer length, steps of gold reasoning, image size; and examples.")
    .argument("<dataset>", "folder or file: ours, the reference's format, VQA-RAD's")
    .option("--html <file>", "write a contact sheet there: one page with pictures, questions and answers")
    .option("--json <file>", "write the counts there")
    .option("--limit <n>", "examples shown, spread evenly (default: 8, in the contact sheet 60)", atLeast(0))
    .action(async (dataset: string, flags: ShowFlags) => {
      const [{ readAnyRows }, { describeData, spread }, { terminalTable }, tables, { imageSize }, { segment }, { writeFileAtomic }] = await Promise.all([
        import("../datasets/check/rows.js"),
        import("../datasets/check/statistics.js"),
        import("../report/tables.js"),
        import("./data-tables.js"),
        import("../images/prepare.js"),
        import("../steps/segment.js"),
        import("../util/atomic-file.js"),
      ]);
      const steps = (text: string): number => segment(text, { opened: true }).steps.length;
      const rows = [];
      for await (const row of readAnyRows(dataset)) rows.push(row);
      const good = rows.flatMap((row) => ("error" in row ? [] : [row]));
      const statistics = await describeData(rows, steps, (path) => imageSize(path).catch(() => null));
      const out: string[] = [terminalTable(tables.setTable(statistics))];
      const add = (title: string, counts: readonly (readonly [string | number | null, number])[]): void => {
        if (counts.length > 0) out.push(terminalTable(tables.countTable(title, counts)));
      };
      if (statistics.kinds.some(([kind]) => kind !== null)) add("question kind", statistics.kinds);
      add("answer length", statistics.answerLengths);
      add("steps of gold reasoning", statistics.stepCounts);
      add("image's longest side, pixels", statistics.imageSizes);
      add("image type", statistics.imageTypes);
      if (good.length < rows.length) out.push(`${rows.length - good.length} of ${rows.length} rows cannot be used: breakwater data check names them.`);
      if (statistics.unreadableImages > 0) out.push(`${statistics.unreadableImages} images cannot be read: breakwater data check names them.`);
      const shown = spread(good, flags.limit ?? 8);
      if (shown.length > 0) out.push(terminalTable(tables.exampleTable(shown, steps, process.stdout.columns ?? 120)));
      process.stdout.write(`${out.join("\n\n")}\n${flags.json !== undefined || flags.html !== undefined ? "\n" : ""}`);
      if (flags.json !== undefined) {
        writeFileAtomic(flags.json, `${JSON.stringify(statistics, null, 1)}\n`);
        process.stdout.write(`wrote ${flags.json}\n`);
      }
      if (flags.html !== undefined) {
        const { contactSheet } = await import("./contact-sheet.js");
        const name = dataset.replace(/\/+$/, "").split("/").at(-1) ?? dataset;
        writeFileAtomic(flags.html, await contactSheet(name, spread(good, flags.limit ?? 60), good.length, statistics));
        process.stdout.write(`wrote ${flags.html}\n`);
      }
    });
}

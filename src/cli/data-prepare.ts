import { Command } from "commander";
import type { JoinReport } from "../datasets/catalog/join-files.js";
import { atLeast } from "./whole-number.js";

interface Options {
  readonly dataDir: string;
  readonly offline?: boolean;
  readonly concurrency: number;
  readonly mimicDir?: string;
  readonly mimicImages?: string;
  readonly json?: boolean;
}

/** `breakwater data prepare`: downloads data sets and writes them in the reference's format and in ours. */
export function dataPrepareCommand(): Command {
  return new Command("prepare")
    .description("Download data sets and write them in the reference's format and in ours. Stopped and started again, it goes on where it was.")
    .argument("<names...>", "data sets or groups (`breakwater data list` names them): train, test-out-of-distribution, all")
    .requiredOption("--data-dir <dir>", "folder for everything")
    .option("--offline", "use what is there; say what is missing")
    .option("--concurrency <n>", "downloads at the same time", atLeast(1), 8)
    .option("--mimic-dir <dir>", "mimic-vqa: your copy of MIMIC-Ext-MIMIC-CXR-VQA")
    .option("--mimic-images <dir>", "mimic-vqa: your copy of MIMIC-CXR-JPG")
    .option("--json", "the result as JSON on standard output")
    .action(async (names: string[], options: Options) => {
      const { prepare } = await import("../datasets/catalog/prepare.js");
      const { PrepareProgress } = await import("./data-progress.js");
      const progress = new PrepareProgress(process.stderr);
      const stop = new AbortController();
      const interrupt = (signal: NodeJS.Signals): void => {
        if (stop.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143);
        process.exitCode = signal === "SIGINT" ? 130 : 143;
        stop.abort(new Error("interrupted"));
      };
      process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
      try {
        const result = await prepare({
          names,
          dir: options.dataDir,
          offline: options.offline === true,
          concurrency: options.concurrency,
          mimic: { data: options.mimicDir ?? null, images: options.mimicImages ?? null },
          environment: process.env,
          signal: stop.signal,
          tell: (event) => progress.tell(event),
        });
        progress.finish();
        if (options.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
        else {
          for (const { name, counts, fresh } of result.prepared) {
            const numbers = Object.entries(counts).map(([split, n]) => `${n} ${split}`).join(", ");
            process.stdout.write(`${name}: ${fresh ? "prepared" : "here already"}${numbers ? ` (${numbers})` : ""}\n`);
          }
          if (result.join !== null) await printJoin(result.join, options.dataDir);
        }
        for (const { name, message } of result.failed) process.stderr.write(`breakwater: ${message.startsWith(name) ? "" : `${name}: `}${message}\n`);
        if (result.failed.length > 0) process.exitCode = 1;
      } catch (error) {
        progress.finish();
        if (!stop.signal.aborted) throw error;
        process.stderr.write("breakwater: stopped; run the same command again to go on from here\n");
      } finally {
        process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
      }
    });
}

async function printJoin(report: JoinReport, dir: string): Promise<void> {
  const { terminalTable } = await import("../report/tables.js");
  const rows: string[][] = [];
  const reasons: string[] = [];
  for (const split of ["train", "test"] as const) {
    for (const [set, part] of Object.entries(report[split])) {
      rows.push([split, set, part.kept, part.examples, part.withReasoning, part.withoutImage, part.withoutText, part.questionsWithoutRationale ?? "–"].map(String));
      for (const [reason, n] of Object.entries(part.dropped)) reasons.push(`  ${split} ${set}: ${n} × ${reason}`);
    }
  }
  const left = ["split", "data set"].map((title) => ({ title, align: "left" as const }));
  const numbers = ["reference rows", "examples", "with reasoning", "no image", "no text", "open questions without rationale"].map((title) => ({ title, align: "right" as const }));
  process.stdout.write(`\n${terminalTable({ columns: [...left, ...numbers], rows })}\n`);
  if (reasons.length > 0) process.stdout.write(`Dropped (each one in ${dir}/examples/dropped.jsonl):\n${reasons.join("\n")}\n`);
  if (report.missing.length > 0) process.stdout.write(`Not here, so not in these files: ${report.missing.join(", ")}.\n`);
  process.stdout.write(`Train with --data.path ${dir}/examples (splits train and test); the reference's files are in ${dir}/Data_Preprocessed and ${dir}/Medthink.\n`);
}

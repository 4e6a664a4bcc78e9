import { Command, Option } from "commander";
import { collect } from "./collect.js";

interface ImportFlags {
  readonly out: string;
  readonly map?: readonly string[];
  readonly images?: string;
  readonly format: "auto";
  readonly question?: string;
  readonly answer?: string;
  readonly window?: string;
  readonly frames: string;
  readonly link: boolean;
  readonly split?: string;
  readonly dataset?: string;
}

/** `breakwater data import`: a user's own data. */
export function dataImportCommand(): Command {
  return new Command("import")
    .description("Import your own data: JSON, JSON Lines, CSV, TSV, Parquet, image folders, DICOM.")
    .argument("<sources...>", "files or folders")
    .requiredOption("--out <dir>", "folder to write: <split>.jsonl and images/")
    .option("--map <field=column,...>", "columns of question, answer, image, reasoning, id, kind, split, frame; nested ones with dots (default: by their usual names)", collect)
    .option("--images <dir>", "folder of the images (default: beside the table, and images/ there)")
    .addOption(new Option("--format <format>", "format of the sources").choices(["auto", "json", "jsonl", "csv", "tsv", "parquet", "folder", "dicom"]).default("auto"))
    .option("--question <text>", "one question for all that have none")
    .option("--answer <text>", "one answer for all that have none")
    .option("--window <centre,width>", "DICOM: window for all pictures; or minmax, or full (default: the file's own)")
    .option("--frames <which>", "DICOM: frames of a series that become examples: all, first, middle, or how many", "all")
    .option("--link", "hard links to the images instead of copies, where the file system allows", false)
    .option("--split <name>", "split of rows that name none (default: by the file's name, such as test.json, else train)")
    .option("--dataset <name>", "name of the data set, kept with each example")
    .action(async (sources: string[], flags: ImportFlags) => {
      const [{ importData }, { parseMap }, { parseFrames }, { dicomReader, parseWindow }, { listenForStop }] = await Promise.all([
        import("../datasets/import/run-import.js"),
        import("../datasets/import/mapping.js"),
        import("../datasets/import/series.js"),
        import("./dicom-reader.js"),
        import("./stop-signal.js"),
      ]);
      const stop = listenForStop("stopped; no table was written, only images: run the same command again");
      const live = process.stderr.isTTY;
      const say = (text: string): void => void process.stderr.write(`${live ? "\r\u001b[K" : ""}${text}\n`);
      const result = await importData(sources, {
        out: flags.out,
        format: flags.format,
        map: parseMap(flags.map ?? []),
        fixed: { question: flags.question, answer: flags.answer },
        images: flags.images,
        frames: parseFrames(flags.frames),
        link: flags.link,
        split: flags.split,
        dataset: flags.dataset,
        dicom: dicomReader(parseWindow(flags.window)),
        onProblem: (place, message) => say(`breakwater: ${place}: ${message.startsWith(place) ? message.slice(place.length).replace(/^[:, ]+/, "") : message}`),
        onNote: (note) => say(`note: ${note}`),
        onProgress: (rows) => {
          if (live && rows % 20 === 0) process.stderr.write(`\r${rows} rows`);
        },
        signal: stop.signal,
      }).finally(stop.close);
      if (live) process.stderr.write("\r\u001b[K");
      const counts = Object.entries(result.written).map(([split, count]) => `${count} in ${split}`);
      process.stdout.write(`imported ${counts.join(", ")}; wrote ${result.files.join(", ")}\n`);
      if (result.burnedIn > 0) process.stdout.write(`pictures that have, or may have, text burned in: ${result.burnedIn} ("burnedIn" in an example's meta.dicom says which)\n`);
      if (result.bad > 0) {
        process.stdout.write(`bad rows, not imported: ${result.bad} (see above)\n`);
        process.exitCode = 1;
      }
    });
}

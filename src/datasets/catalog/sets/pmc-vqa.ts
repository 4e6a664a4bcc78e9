import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { writeFileAtomic } from "../../../util/atomic-file.js";
import { UserError } from "../../../util/errors.js";
import { readJson } from "../../../util/json-file.js";
import { listHub } from "../hub.js";
import { obtain, within, type PrepareContext } from "../obtain.js";
import { fetchMembers } from "../remote-zip.js";
import { writeTestSet, type TestQuestion } from "../test-set.js";
import type { Listing } from "../types.js";
import { unzip } from "../zip.js";
import type { Preparer } from "./preparer.js";

const name = "pmc-vqa";
const table = "test_clean.csv";
const archive = "images.zip";

type CsvRow = Readonly<Record<string, string>>;

/** PMC-VQA's manually checked test set; only its pictures are taken out of the archive. */
export const pmcVqa: Preparer = {
  name,
  builder: 1,
  async obtain(context) {
    const { paths } = context;
    let remote: Listing | null = null;
    const listing = await obtain(
      context,
      async () => {
        remote = await listHub(context.source, "RadGenome/PMC-VQA", (path) => path === table || path === archive);
        // The archive is read by ranges, so it is not among the files to fetch.
        return { ...remote, files: remote.files.filter(({ path }) => path === table) };
      },
      ({ path }) => within(paths.downloads(name), path),
    );
    const rows = await readTable(context);
    const wanted = new Map(rows.map((row) => [row.Figure_path, within(images(context), row.Figure_path)]));
    const absent = absentPictures(context);
    const missing = [...wanted].filter(([picture, path]) => !existsSync(path) && !absent.has(picture));
    if (missing.length === 0) return listing;
    const told = (): Listing => {
      writeFileAtomic(absentFile(context), `${JSON.stringify([...wanted].filter(([, path]) => !existsSync(path)).map(([picture]) => picture).sort())}\n`);
      return listing;
    };
    const whole = join(paths.downloads(name), archive);
    const place = (member: string): string | null => (wanted.has(basename(member)) && !member.startsWith("__MACOSX") ? basename(member) : null);
    if (existsSync(whole)) {
      await unzip({ archive: whole, folder: images(context), place, signal: context.signal, onProgress: (done, total) => context.tell({ kind: "work", dataset: name, what: `unpacking ${archive}`, done, total }) });
      return told();
    }
    if (context.offline) throw new UserError(`${name}: --offline, and ${missing.length} of ${wanted.size} pictures are missing: ${missing.slice(0, 5).map(([, path]) => path).join(", ")}${missing.length > 5 ? ", …" : ""}. Run once without --offline.`);
    const zip = (remote as Listing | null)?.files.find(({ path }) => path === archive);
    if (zip === undefined || zip.size === null) throw new UserError(`${name}: the hub no longer lists ${archive} with its size; the data set has changed`);
    await fetchMembers(context, { archive: { ...zip, size: zip.size }, folder: images(context), directoryFile: join(paths.downloads(name), `${archive}.directory`), place });
    return told();
  },
  async build(context) {
    const rows = await readTable(context);
    const questions: TestQuestion[] = [];
    let missing = 0;
    for (const row of rows) {
      const image = within(images(context), row.Figure_path);
      const answer = answerOf(row);
      if (!existsSync(image) || answer === "" || !row.Question?.trim()) missing++;
      else questions.push({ image, question: row.Question.trim(), answer });
    }
    if (missing > 0) context.tell({ kind: "note", dataset: name, message: `${missing} of ${rows.length} questions left out: no picture in ${archive}, or no text` });
    writeTestSet(context, name, questions);
    return { test: questions.length };
  },
  outputs: ({ paths }) => [join(paths.processed, `${name}_test.json`), join(paths.examples, `${name}.jsonl`)],
};

function images({ paths }: PrepareContext): string {
  return join(paths.raw(name), "images");
}

/** Pictures that the table names and the archive does not have; known once the archive has been gone through. */
function absentFile({ paths }: PrepareContext): string {
  return join(paths.downloads(name), "absent.json");
}

function absentPictures(context: PrepareContext): ReadonlySet<string> {
  const path = absentFile(context);
  const names = existsSync(path) ? readJson(path, "Delete it and run the same command again.") : [];
  return new Set(Array.isArray(names) ? (names as string[]) : []);
}

/** The text of the right choice: the column Answer, or the choice that the label names ("B:Focal uptake" without "B:"). */
function answerOf(row: CsvRow): string {
  const answer = row.Answer?.trim() ?? "";
  const label = /^[A-D]$/.test(answer) ? answer : answer === "" ? (row.Answer_label?.trim() ?? "") : "";
  return label === "" ? answer : (row[`Choice ${label}`] ?? "").trim().replace(/^[A-D]\s*:\s*/, "");
}

async function readTable({ paths }: PrepareContext): Promise<CsvRow[]> {
  const { parse } = await import("csv-parse/sync");
  const path = join(paths.downloads(name), table);
  let rows: CsvRow[];
  try {
    rows = parse<CsvRow>(readFileSync(path), { columns: (header: string[]) => header.map((column) => column.trim()), bom: true, skip_empty_lines: true, relax_column_count: true });
  } catch (error) {
    throw new UserError(`${path}: not a table that can be read (${error instanceof Error ? error.message : String(error)}). Delete it and run the same command again.`);
  }
  const good = rows.filter((row) => row.Figure_path && row.Question !== undefined);
  if (good.length === 0) throw new UserError(`${path} has no columns Figure_path and Question with values; the data set has changed`);
  return good;
}

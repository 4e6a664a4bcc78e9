import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, relative, sep } from "node:path";
import { messageOf, UserError } from "../../util/errors.js";
import { csvRows } from "./csv-rows.js";
import { jsonlRows, jsonRows } from "./json-rows.js";
import { mapRow, neededColumns, type FieldMap, type Fixed, type MappedRow } from "./mapping.js";
import { parquetRows } from "./parquet-rows.js";
import type { DicomReader } from "./pictures.js";
import { orderSeries, pickFrames, type FrameChoice } from "./series.js";
import type { SourceRow } from "./source-row.js";
import { isPicture, listFiles, type Source } from "./sources.js";

/** One example to be, or what is wrong with it. `place` names file and row for people. */
export type Item = { readonly place: string; readonly row: MappedRow } | { readonly place: string; readonly error: string };

export interface ItemOptions {
  readonly map: FieldMap;
  readonly fixed: Fixed;
  readonly frames: FrameChoice;
  readonly dicom: DicomReader;
  /** For what is left out without being wrong. */
  readonly onNote: (note: string) => void;
}

/** Everything that a source has, in its own order. */
export function sourceItems(source: Source, options: ItemOptions): AsyncGenerator<Item> {
  if (source.format === "folder") return folderItems(source.path, options);
  if (source.format === "dicom") return dicomItems(source.path, options);
  return tableItems(source, options);
}

async function* tableItems({ path, format }: Source, { map, fixed }: ItemOptions): AsyncGenerator<Item> {
  const names = new Set<string>();
  for await (const source of tableRows(path, format, map, fixed)) {
    const place = `${path}, ${source.place}`;
    if ("error" in source) {
      yield { place, error: source.error };
      continue;
    }
    if (names.size === 0 && (format === "csv" || format === "tsv")) {
      // The columns of a CSV file are the same in each row: what is missing is missing in all.
      for (const name of Object.keys(source.row)) names.add(name);
      neededColumns(map, fixed, [...names], path);
    }
    try {
      yield { place, row: mapRow(source.row, map, fixed) };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      yield { place, error: error.message };
    }
  }
}

function tableRows(path: string, format: Source["format"], map: FieldMap, fixed: Fixed): AsyncGenerator<SourceRow> {
  if (format === "jsonl") return jsonlRows(path);
  if (format === "json") return jsonRows(path);
  if (format === "parquet") return parquetRows(path, (names) => neededColumns(map, fixed, names, path));
  return csvRows(path, format === "tsv" ? "\t" : ",");
}

/** Images of a folder. The answer: `--answer`, a text file of the same name, or the name of the folder around it. */
async function* folderItems(root: string, { fixed, onNote }: ItemOptions): AsyncGenerator<Item> {
  const single = !statSync(root).isDirectory();
  const files = single ? [root] : listFiles(root);
  const question = fixed.question;
  if (question === undefined) throw new UserError(`${root} is a folder of images without questions: give one for all with --question, or a table of questions that names the images (and --images ${root}).`);
  let others = 0;
  for (const path of files) {
    const sidecar = path.slice(0, -extname(path).length) + ".txt";
    if (!isPicture(path)) {
      if (!(extname(path) === ".txt" && files.some((file) => isPicture(file) && file.startsWith(path.slice(0, -3))))) others++;
      continue;
    }
    const name = single ? basename(path) : relative(root, path).split(sep).join("/");
    const label = name.includes("/") ? basename(dirname(name)) : null;
    let answer: string | null = fixed.answer ?? null;
    try {
      answer ??= existsSync(sidecar) ? readFileSync(sidecar, "utf8").trim() || null : label;
    } catch (error) {
      yield { place: path, error: `${sidecar} cannot be read: ${messageOf(error)}` };
      continue;
    }
    if (answer === null) {
      yield { place: path, error: `no answer: give one for all with --answer, or ${basename(sidecar)} beside it, or put it into a folder named by the answer` };
      continue;
    }
    yield { place: path, row: { ...empty, id: name.replace(/\.\w+$/, ""), question, answer, image: path } };
  }
  if (others > 0) onNote(`${root}: ${filesCounted(others)} left out, being no images`);
}

/** Series under a folder, or one file. Neither ids nor answers come from names of files: those name patients. */
async function* dicomItems(root: string, { fixed, frames, dicom, onNote }: ItemOptions): AsyncGenerator<Item> {
  const { question, answer } = fixed;
  if (question === undefined || answer === undefined) {
    throw new UserError(`${root} has pictures without questions: give --question and --answer for all, or a table of questions whose image column names the DICOM files (and --images ${root}).`);
  }
  const files = statSync(root).isDirectory() ? listFiles(root) : [root];
  const { series, others, problems } = orderSeries(files, dicom);
  for (const { path, message } of problems) yield { place: path, error: message };
  for (const [index, { slices }] of series.entries()) {
    for (const slice of pickFrames(slices, frames)) {
      // The number of the series keeps its pictures together when the data are split; its UID does not leave the reader.
      const meta = { series: index + 1, slice: slices.indexOf(slice) + 1, slices: slices.length };
      yield { place: slice.path, row: { ...empty, question, answer, image: slice.path, frame: slice.frame + 1, meta } };
    }
  }
  if (others.length > 0) onNote(`${root}: ${filesCounted(others.length)} without a DICOM picture left out`);
}

function filesCounted(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}

const empty = { id: null, reasoning: null, kind: null, split: null, frame: null } as const;

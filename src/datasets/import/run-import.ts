import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { messageOf, UserError } from "../../util/errors.js";
import { ExampleWriter, exampleFileEnding, type ExampleLine } from "../jsonl-format.js";
import { clearUnfinished, ImageStore, type StoredImage } from "./image-store.js";
import { sourceItems, type Item } from "./items.js";
import type { FieldMap, Fixed } from "./mapping.js";
import type { DicomReader } from "./pictures.js";
import type { FrameChoice } from "./series.js";
import { findSources, type ImportFormat } from "./sources.js";

export interface ImportOptions {
  readonly out: string;
  readonly format: ImportFormat | "auto";
  readonly map: FieldMap;
  readonly fixed: Fixed;
  /** Folder of the images, looked in first. */
  readonly images?: string;
  readonly frames: FrameChoice;
  readonly link: boolean;
  /** Split of rows that name none; default: by the name of their file, else `train`. */
  readonly split?: string;
  readonly dataset?: string;
  readonly dicom: DicomReader;
  /** A row that is not imported. */
  readonly onProblem: (place: string, message: string) => void;
  /** Burned-in text, files left out. */
  readonly onNote: (note: string) => void;
  readonly onProgress?: (rows: number) => void;
  readonly signal?: AbortSignal;
}

export interface ImportResult {
  /** Examples by split. */
  readonly written: Readonly<Record<string, number>>;
  readonly files: readonly string[];
  readonly bad: number;
  /** Pictures that have, or may have, text burned in. */
  readonly burnedIn: number;
}

/** Images decoded at a time. */
const width = 4;

/**
 * Imports a user's own data into `<out>/<split>.jsonl` and `<out>/images`. Rows that cannot be used are told to
 * `onProblem` and passed over. The files appear whole at the end; the same sources give the same files.
 * @throws UserError where a source cannot be read at all, or nothing is left; the reason of `signal` where it aborts.
 */
export async function importData(paths: readonly string[], options: ImportOptions): Promise<ImportResult> {
  const out = resolve(options.out);
  const sources = findSources(paths, options.format);
  if (options.images !== undefined && !existsSync(options.images)) throw new UserError(`--images ${options.images}: there is no such folder; correct the path.`);
  clearUnfinished(out);
  const writers = new Map<string, ExampleWriter>();
  const seen = new Map<string, string>();
  const given = new Map<string, number>();
  let [bad, burnedIn, rows] = [0, 0, 0];
  const reject = (place: string, message: string): void => {
    bad++;
    options.onProblem(place, message);
  };
  try {
    for (const [index, source] of sources.entries()) {
      const dir = source.format === "folder" || source.format === "dicom" ? [] : [join(source.path, ".."), join(source.path, "..", "images")];
      const store = new ImageStore({
        out,
        roots: [...(options.images === undefined ? [] : [resolve(options.images)]), ...dir],
        link: options.link,
        dicom: options.dicom,
        onBurnedIn: (place, how) => {
          burnedIn++;
          options.onNote(`${place}: ${how === "yes" ? "the header says that text is burned into the picture" : "text may be burned into the picture (the header does not rule it out)"}; look at it before you share the data`);
        },
      });
      const prefix = sources.length > 1 ? `source-${index + 1}-row-` : "row-";
      let count = 0;
      for await (const { item, image, error } of withImages(sourceItems(source, options), store)) {
        options.signal?.throwIfAborted();
        options.onProgress?.(++rows);
        count++;
        if ("error" in item) {
          reject(item.place, item.error);
          continue;
        }
        if (error !== undefined) {
          reject(item.place, error);
          continue;
        }
        const line = toLine(item, image, source.format === "dicom" ? idOfImage(image, given) : `${prefix}${count}`, options);
        const split = line.split ?? options.split ?? splitOfName(source.path);
        if (!/^[\w][\w.-]{0,63}$/.test(split)) {
          reject(item.place, `the split ${JSON.stringify(split)} is no name for a file; use letters, digits, - and _`);
          continue;
        }
        const key = `${split}\n${line.id}`;
        const before = seen.get(key);
        if (before !== undefined) {
          reject(item.place, `the id ${JSON.stringify(line.id)} stands already in ${before}; give each row its own`);
          continue;
        }
        seen.set(key, item.place);
        let writer = writers.get(split);
        if (writer === undefined) writers.set(split, (writer = new ExampleWriter(join(out, `${split}${exampleFileEnding}`))));
        writer.write(line);
      }
    }
  } catch (error) {
    for (const writer of writers.values()) writer.discard();
    options.signal?.throwIfAborted();
    throw error;
  }
  if (writers.size === 0) throw new UserError(`Nothing was imported: ${bad === 0 ? "there are no rows" : `all ${bad} rows are bad (see above)`}.`);
  for (const writer of writers.values()) writer.close();
  const names = [...writers.keys()].sort();
  return {
    written: Object.fromEntries(names.map((name) => [name, writers.get(name)?.count ?? 0])),
    files: names.map((name) => join(out, `${name}${exampleFileEnding}`)),
    bad,
    burnedIn,
  };
}

interface WithImage {
  readonly item: Item;
  readonly image: StoredImage | null;
  readonly error?: string;
}

/** Looks at some images at once; the order stays. */
async function* withImages(items: AsyncGenerator<Item>, store: ImageStore): AsyncGenerator<WithImage> {
  const pending: Promise<WithImage>[] = [];
  for await (const item of items) {
    pending.push(withImage(item, store));
    if (pending.length >= width) yield (await pending.shift()) as WithImage;
  }
  for (const next of pending) yield await next;
}

async function withImage(item: Item, store: ImageStore): Promise<WithImage> {
  if ("error" in item || item.row.image === null || item.row.image === "") return { item, image: null };
  try {
    return { item, image: await store.add(item.row.image, item.row.frame) };
  } catch (error) {
    if (error instanceof UserError) return { item, image: null, error: error.message };
    return { item, image: null, error: `its image cannot be used: ${messageOf(error)}` };
  }
}

function toLine({ row }: Extract<Item, { row: unknown }>, image: StoredImage | null, id: string, { dataset }: ImportOptions): ExampleLine {
  const meta = { ...row.meta, ...(image?.dicom === undefined ? {} : { dicom: Object.fromEntries(Object.entries(image.dicom).filter(([, value]) => value !== null)) }) };
  return {
    id: row.id ?? id,
    image: image?.path ?? null,
    question: row.question,
    answer: row.answer,
    ...(row.reasoning === null ? {} : { goldReasoning: row.reasoning }),
    ...(row.kind === null ? {} : { kind: row.kind }),
    ...(dataset === undefined ? {} : { dataset }),
    ...(row.split === null ? {} : { split: row.split }),
    ...(Object.keys(meta).length === 0 ? {} : { meta }),
  };
}

/** `test.json`, `train-00000-of-00002.parquet`: files that are named by their split. */
function splitOfName(path: string): string {
  return /^(train|test|val|valid|validation|dev)(?![a-z])/i.exec(basename(path))?.[1].toLowerCase() ?? "train";
}

/** An id that says nothing of the file's name; equal pictures are numbered. */
function idOfImage(image: StoredImage | null, given: Map<string, number>): string {
  const stem = image === null ? "dicom" : basename(image.path).slice(0, 12);
  const count = (given.get(stem) ?? 0) + 1;
  given.set(stem, count);
  return count === 1 ? stem : `${stem}-${count}`;
}

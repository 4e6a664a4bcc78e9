import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { UserError } from "../../util/errors.js";

export const importFormats = ["json", "jsonl", "csv", "tsv", "parquet", "folder", "dicom"] as const;
export type ImportFormat = (typeof importFormats)[number];

export interface Source {
  readonly format: ImportFormat;
  /** Absolute path of a file, or of a folder for `folder` and `dicom`. */
  readonly path: string;
}

const tables: Readonly<Record<string, ImportFormat>> = { ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet" };
const pictures = new Set([".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif"]);

/**
 * What each path on the command line is. A folder is DICOM where DICOM files are in it, an image folder where images are,
 * and otherwise stands for the tables in it; a `metadata` table in an image folder holds its questions (as in Hugging
 * Face's image folders).
 * @throws UserError for a path that is not there, or is nothing that can be imported.
 */
export function findSources(paths: readonly string[], format: ImportFormat | "auto"): Source[] {
  return paths.flatMap((given): Source[] => {
    const path = resolve(given);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) throw new UserError(`There is nothing at ${path} to import. Correct the path.`);
    if (!found.isDirectory()) return [{ path, format: format === "auto" ? formatOfFile(path) : format }];
    if (format === "dicom") return [{ path, format }];
    if (format === "folder") return imageFolder(path);
    const files = listFiles(path);
    if (format !== "auto") {
      const fitting = files.filter((file) => tables[extname(file).toLowerCase()] === format);
      if (fitting.length === 0) throw new UserError(`${path} has no ${format} file in it.`);
      return fitting.map((file) => ({ path: file, format }));
    }
    if (files.some((file) => hasDicomMagic(file))) return [{ path, format: "dicom" }];
    if (files.some(isPicture)) return imageFolder(path);
    const known = files.filter((file) => extname(file).toLowerCase() in tables).map((file) => ({ path: file, format: formatOfFile(file) }));
    if (known.length === 0) throw new UserError(`${path} has nothing in it that can be imported: no images, no DICOM, no JSON, JSONL, CSV or Parquet.`);
    return known;
  });
}

function imageFolder(path: string): Source[] {
  const names = [".jsonl", ".csv", ".parquet"].map((ending) => join(path, `metadata${ending}`));
  const table = names.find((name) => existsSync(name));
  return [table === undefined ? { path, format: "folder" } : { path: table, format: formatOfFile(table) }];
}

function formatOfFile(path: string): ImportFormat {
  const format = tables[extname(path).toLowerCase()];
  if (format !== undefined) return format;
  if (hasDicomMagic(path)) return "dicom";
  if (isPicture(path)) return "folder";
  throw new UserError(`${path}: cannot tell what it is by its name. Say so with --format ${importFormats.join("|")}.`);
}

export function isPicture(path: string): boolean {
  return pictures.has(extname(path).toLowerCase());
}

/** All files under a folder, sorted by path; hidden ones are left out. */
export function listFiles(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true }).filter(({ name }) => !name.startsWith("."));
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(dir, entry.name);
    const kind = entry.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : entry;
    return kind === undefined ? [] : kind.isDirectory() ? (entry.isSymbolicLink() ? [] : listFiles(path)) : [path];
  });
}

function hasDicomMagic(path: string): boolean {
  try {
    const fd = openSync(path, "r");
    try {
      const head = Buffer.alloc(132);
      return readSync(fd, head) === 132 && head.toString("latin1", 128) === "DICM";
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

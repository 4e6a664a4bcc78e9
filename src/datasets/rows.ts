import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import type { z } from "zod";
import { messageOf, UserError } from "../util/errors.js";
import { isRecord } from "../util/json-file.js";

/** Stands for a bare NaN or Infinity, which Python writes and JSON does not have. */
const NOT_JSON = "\u0000not JSON: ";

/** Rows of a JSON file that holds a list. @throws UserError naming the file, and the row and key of a NaN. */
export function readRows(path: string): unknown[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`Cannot read the data set file ${path}: ${messageOf(error)}. Correct the path.`);
  }
  const rows = parse(path, text.replace(/^\ufeff/, ""));
  if (!Array.isArray(rows)) throw new UserError(`${path} holds ${isRecord(rows) ? "an object" : "a value"}, not a list of questions. Wrap it in [ ].`);
  return rows as unknown[];
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
      token.startsWith('"') ? token : JSON.stringify(NOT_JSON + token),
    );
    let rows: unknown;
    try {
      rows = JSON.parse(marked);
    } catch {
      throw new UserError(`${path} is not valid JSON: ${messageOf(error)}. Correct it there.`);
    }
    const [place, value] = findMark(rows, "") ?? ["", ""];
    throw new UserError(`${path}: ${place.replace(/^\./, "")} is ${value}, which is not JSON. Give a text there, or remove the row.`);
  }
}

function findMark(value: unknown, place: string): [place: string, value: string] | null {
  if (typeof value === "string") return value.startsWith(NOT_JSON) ? [place, value.slice(NOT_JSON.length)] : null;
  if (typeof value !== "object" || value === null) return null;
  for (const [key, inner] of Object.entries(value)) {
    const found = findMark(inner, Array.isArray(value) ? `${place}[${key}]` : `${place}.${key}`);
    if (found) return found;
  }
  return null;
}

/** One row by its schema. @throws UserError: file, index (0-based, as the file's own list counts), key, what is wrong. */
export function parseRow<T extends z.ZodType>(schema: T, row: unknown, index: number, path: string): z.output<T> {
  const result = schema.safeParse(row);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue.path.map(String).join(".");
  const missing = isRecord(row) && issue.path.length === 1 && !(key in row);
  const what = key === "" ? `is not an object (${issue.message})` : missing ? `has no "${key}"` : `"${key}": ${issue.message}`;
  throw new UserError(`${path}: row [${index}] ${what}. Add or correct it, or remove the row.`);
}

/** Refuses a second row with the same id. */
export class UniqueIds {
  private readonly rows = new Map<string, number>();

  constructor(private readonly path: string) {}

  add(id: string, index: number): string {
    const before = this.rows.get(id);
    if (before !== undefined) throw new UserError(`${this.path}: rows [${before}] and [${index}] have the same id "${id}". Give each row its own id.`);
    this.rows.set(id, index);
    return id;
  }
}

/** Finds image files, looking at each name once. */
export class ImageFinder {
  private readonly found = new Map<string, string>();

  /** @param roots folders to look in, in order, for relative names and (by file name) for absolute ones that are gone. */
  constructor(
    private readonly path: string,
    private readonly roots: readonly string[],
  ) {}

  /** Absolute path. @throws UserError naming file, row and key. */
  find(name: string, index: number, key: string): string {
    const known = this.found.get(name);
    if (known) return known;
    const tried = isAbsolute(name) ? [name, ...this.roots.map((root) => join(root, basename(name)))] : this.roots.map((root) => join(root, name));
    const hit = tried.find((candidate) => existsSync(candidate));
    if (!hit) {
      throw new UserError(`${this.path}: row [${index}] "${key}" names ${JSON.stringify(name)}, and there is no ${[...new Set(tried)].join(", nor ")}. Put the image there, correct the name, or give the folder of the images.`);
    }
    this.found.set(name, hit);
    return hit;
  }
}

/** Folders to look for images in, for a data set file. */
export function imageRoots(path: string, given?: string): string[] {
  const dir = dirname(path);
  return [...(given ? [given] : []), dir, join(dir, "images")];
}

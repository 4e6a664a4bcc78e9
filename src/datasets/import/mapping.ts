import { UserError } from "../../util/errors.js";
import { isRecord } from "../../util/json-file.js";
import { splitTags, withoutTags } from "../text-match.js";

/** What a column can stand for, with the names that are taken for it where none is given. */
const usual = {
  id: ["id", "qid", "question_id", "questionId", "uid"],
  question: ["question", "problem", "prompt", "query", "instruction", "Question"],
  answer: ["answer", "solution", "label", "target", "response", "gt_answer", "Answer", "text", "caption"],
  image: ["image", "image_path", "image_name", "file_name", "img", "img_name", "img_path", "image_file", "imagePath", "Figure_path", "filename", "path"],
  reasoning: ["goldReasoning", "gold_reasoning", "reasoning", "rationale", "explanation"],
  kind: ["kind", "question_type", "questionType", "content_type", "category"],
  split: ["split"],
  frame: ["frame"],
} as const;

export type Field = keyof typeof usual;
export type FieldMap = Readonly<Partial<Record<Field, string>>>;
export const fields = Object.keys(usual) as Field[];

/** `question=col,answer=col`; given more than once, all count. @throws UserError naming an unknown field. */
export function parseMap(texts: readonly string[]): FieldMap {
  const map: Partial<Record<Field, string>> = {};
  for (const part of texts.flatMap((text) => text.split(","))) {
    const at = part.indexOf("=");
    const [name, column] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    const field = fields.find((known) => known === name);
    if (at < 0 || field === undefined || column === "") throw new UserError(`--map ${JSON.stringify(part)}: give FIELD=COLUMN with one of the fields ${fields.join(", ")}.`);
    map[field] = column;
  }
  return map;
}

/** Fixed texts for fields that the data does not have. */
export interface Fixed {
  readonly question?: string;
  readonly answer?: string;
}

/** A row as it was understood; its image is not yet looked at. */
export interface MappedRow {
  readonly id: string | null;
  readonly question: string;
  readonly answer: string;
  readonly image: unknown;
  readonly reasoning: string | null;
  readonly kind: string | null;
  readonly split: string | null;
  /** From 1, for an image with several. */
  readonly frame: number | null;
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** The columns that a file with these names needs; for files whose columns are all known beforehand. */
export function neededColumns(map: FieldMap, fixed: Fixed, names: readonly string[], path: string): string[] {
  const found = fields.map((field): string | null => {
    const given = map[field];
    const column = given === undefined ? usual[field].find((name) => names.includes(name)) : names.find((name) => name === given || given.startsWith(`${name}.`));
    if (column !== undefined) return column;
    if (given !== undefined) throw new UserError(`${path} has no column ${JSON.stringify(given)} for ${field}. It has: ${names.join(", ")}.`);
    if ((field === "question" || field === "answer") && fixed[field] === undefined) {
      throw new UserError(`${path} has no column that looks like the ${field}. It has: ${names.join(", ")}. Say which with --map ${field}=COLUMN, or give one text for all with --${field}.`);
    }
    return null;
  });
  return [...new Set(found.filter((column) => column !== null))];
}

/** @throws UserError saying what the row lacks. */
export function mapRow(row: Readonly<Record<string, unknown>>, map: FieldMap, fixed: Fixed): MappedRow {
  const value = (field: Field): unknown => {
    const given = map[field];
    if (given !== undefined) return pick(row, given);
    const name = usual[field].find((key) => row[key] !== undefined && row[key] !== null);
    return name === undefined ? undefined : row[name];
  };
  const needed = (field: "question" | "answer"): string => {
    const text = plainText(value(field), field) ?? fixed[field] ?? null;
    if (text !== null) return text;
    const looked = map[field] ?? usual[field].slice(0, 4).join(", ");
    throw new UserError(`no ${field} (looked for ${looked}; it has ${Object.keys(row).join(", ") || "nothing"})`);
  };
  const question = needed("question");
  const raw = needed("answer");
  const tags = splitTags(raw);
  const answer = tags.answer ?? raw;
  if (answer === "") throw new UserError("the answer tag is empty");
  // The reference's gold reasoning: {image_path, question, answer, solution}.
  const solution = map.answer === undefined && row.answer !== undefined && row.answer !== null ? row.solution : undefined;
  const reasoning = plainText(value("reasoning") ?? solution, "reasoning");
  const frame = plainText(value("frame"), "frame");
  if (frame !== null && !/^[1-9]\d*$/.test(frame)) throw new UserError(`the frame is ${JSON.stringify(frame)}; give a whole number from 1`);
  return {
    id: plainText(value("id"), "id"),
    question,
    answer,
    image: value("image") ?? null,
    reasoning: (reasoning === null ? null : (splitTags(reasoning).reasoning ?? withoutTags(reasoning)) || null) ?? (tags.reasoning || null),
    kind: plainText(value("kind"), "kind"),
    split: plainText(value("split"), "split"),
    frame: frame === null ? null : Number(frame),
  };
}

/** By column name, or by a path with dots into nested objects. */
function pick(row: Readonly<Record<string, unknown>>, path: string): unknown {
  if (path in row) return row[path];
  return path.split(".").reduce<unknown>((value, key) => (isRecord(value) ? value[key] : undefined), row);
}

/** Trimmed text; `null` where there is none. A list of one is that one. @throws UserError for what is no text. */
function plainText(value: unknown, field: Field): string | null {
  const one: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (one === undefined || one === null) return null;
  if (typeof one === "string" || typeof one === "bigint" || typeof one === "boolean") return String(one).trim() || null;
  if (typeof one === "number") {
    if (!Number.isFinite(one)) throw new UserError(`${field} is ${one}`);
    return String(one);
  }
  if (one instanceof Uint8Array) return new TextDecoder().decode(one).trim() || null;
  throw new UserError(`${field} is ${Array.isArray(one) ? `a list of ${one.length}` : "an object"}, not a text; name the right column with --map ${field}=COLUMN`);
}

/** The join's files: the reference's, ours, and the report of what was dropped and why. */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { writeFileAtomic } from "../../util/atomic-file.js";
import { readJson } from "../../util/json-file.js";
import { ExampleWriter } from "../jsonl-format.js";
import {
  flatName, imageOfRationale, joinSets, joinTraining, mergeRationales, objectRows, openTest, originals, rationaleIndex, withoutRationale,
  type Dropped, type JoinSet, type RawFiles, type Rationale,
} from "./join.js";
import { layout } from "./layout.js";
import { matchText, pyJson, pyStr } from "./python-text.js";
import { rationaleFiles } from "./sets/medthink.js";

export interface JoinReport {
  readonly train: Readonly<Partial<Record<JoinSet, SetReport>>>;
  readonly test: Readonly<Partial<Record<JoinSet, SetReport>>>;
  /** Sets that are not here, so not in the files. */
  readonly missing: readonly string[];
}

export interface SetReport {
  /** In the reference's file. */
  readonly kept: number;
  /** In ours: with an image that is there, a question and an answer. */
  readonly examples: number;
  readonly withReasoning: number;
  readonly withoutImage: number;
  readonly withoutText: number;
  /** Training: open-ended questions that no rationale was found for. */
  readonly questionsWithoutRationale?: number;
  readonly dropped: Readonly<Record<string, number>>;
}

type Paths = ReturnType<typeof layout>;

/** Writes what can be made of the sets that are here; null where none is. */
export function writeJoin(dir: string): JoinReport | null {
  const paths = layout(dir);
  const dropped: Dropped[] = [];
  const drop = (row: Dropped): void => void dropped.push(row);
  const raw = { train: rawFiles(paths, "train"), test: rawFiles(paths, "test") };
  const rationales = { train: rationalesOf(paths, "train", drop), test: rationalesOf(paths, "test", drop) };
  const sets = joinSets.filter((set) => raw.test[set] !== undefined);
  if (sets.length === 0) return null;
  const report: { train: JoinReport["train"]; test: JoinReport["test"] } = { train: {}, test: {} };

  if (rationales.train !== null) {
    writeFileAtomic(join(paths.medthink, "medthink_train.json"), pyJson(rationales.train.map(({ image, question, answer, solution }) => ({ image_path: image, question, answer, solution }))));
    const questions = joinSets.flatMap((set) => originals(set, raw.train[set]));
    const joined = joinTraining(rationales.train, questions, drop);
    const rows = joined.map((one): Row => ({ set: one.set, image: join(paths.raw(one.set), imageOfRationale(one)), question: one.question, answer: one.answer, reasoning: one.solution }));
    report.train = write(paths, "train", rows, dropped, kinds(paths, raw.train));
    for (const set of sets) {
      const part = report.train[set];
      if (part) report.train = { ...report.train, [set]: { ...part, questionsWithoutRationale: withoutRationale(questions.filter((one) => one.set === set), joined).length } };
    }
  }
  if (rationales.test !== null) {
    writeFileAtomic(join(paths.medthink, "medthink_test.json"), pyJson(rationales.test.map(({ image, question, answer, solution }) => ({ image_path: image, answer, question, solution }))));
  }
  const reasoningOf = rationaleIndex(rationales.test ?? []);
  const rows = sets.flatMap((set) =>
    openTest(set, raw.test[set], drop).map((one): Row => {
      const answer = pyStr(one.answer);
      return { set, image: resolve(paths.raw(set), one.image), question: one.question, answer, reasoning: reasoningOf(one.image, one.question, answer) };
    }),
  );
  report.test = write(paths, "test", rows, dropped, kinds(paths, raw.test));
  const missing = [...joinSets.filter((set) => raw.train[set] === undefined || raw.test[set] === undefined), ...(rationales.train === null ? ["medthink"] : [])];
  const whole = { ...report, missing };
  writeFileAtomic(join(paths.examples, "report.json"), `${JSON.stringify(whole, null, 2)}\n`);
  writeFileAtomic(join(paths.examples, "dropped.jsonl"), dropped.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return whole;
}

interface Row {
  readonly set: JoinSet;
  readonly image: string;
  readonly question: string;
  readonly answer: string;
  readonly reasoning: string | null;
}

function write(paths: Paths, split: "train" | "test", rows: readonly Row[], dropped: Dropped[], kindOf: (row: Row) => string | undefined): Partial<Record<JoinSet, SetReport>> {
  writeFileAtomic(join(paths.processed, `${split}_open_ended.json`), pyJson(rows.map(({ image, question, answer }) => ({ image, problem: question, solution: answer }))));
  const writer = new ExampleWriter(join(paths.examples, `${split}.jsonl`));
  const counts = Object.fromEntries(joinSets.map((set) => [set, { kept: 0, examples: 0, withReasoning: 0, withoutImage: 0, withoutText: 0 }]));
  try {
    for (const row of rows) {
      const count = counts[row.set];
      // The number of the row in the reference's file, so that ids stay when an image turns up later.
      const id = `${row.set}-${split}-${count.kept++}`;
      const reasoning = row.reasoning?.trim() ?? "";
      const refuse = (reason: string): void => void dropped.push({ dataset: row.set, split, reason, image: row.image, question: row.question, answer: row.answer });
      if (row.question.trim() === "" || row.answer.trim() === "") {
        count.withoutText++;
        refuse("empty question or answer (kept in the reference's file)");
      } else if (!statSync(row.image, { throwIfNoEntry: false })?.isFile()) {
        count.withoutImage++;
        refuse("image is not there (kept in the reference's file)");
      } else {
        count.examples++;
        if (reasoning !== "") count.withReasoning++;
        const kind = kindOf(row);
        writer.write({ id, image: row.image, question: row.question, answer: row.answer, ...(reasoning === "" ? {} : { goldReasoning: reasoning }), ...(kind ? { kind } : {}), dataset: row.set, split });
      }
    }
  } catch (error) {
    writer.discard();
    throw error;
  }
  writer.close();
  const report: Partial<Record<JoinSet, SetReport>> = {};
  for (const set of joinSets) {
    const reasons: Record<string, number> = {};
    for (const one of dropped) if (one.dataset === set && one.split === split) reasons[one.reason] = (reasons[one.reason] ?? 0) + 1;
    if (counts[set].kept > 0 || Object.keys(reasons).length > 0) report[set] = { ...counts[set], dropped: reasons };
  }
  return report;
}

function rawFiles(paths: Paths, split: "train" | "test"): RawFiles {
  return Object.fromEntries(joinSets.flatMap((set) => present(set, join(paths.raw(set), `${split}.json`))));
}

function rationalesOf(paths: Paths, split: "train" | "test", drop: (row: Dropped) => void): Rationale[] | null {
  const files = joinSets.flatMap((set) => present(set, join(paths.medthink, rationaleFiles[split][set])));
  return files.length === 0 ? null : mergeRationales(Object.fromEntries(files), split, drop);
}

function present(set: JoinSet, path: string): [JoinSet, unknown][] {
  return existsSync(path) ? [[set, readJson(path, "Prepare the data set again.")]] : [];
}

/** Kinds of questions, which the reference's files do not keep: from SLAKE's rows and VQA-RAD's original file. */
function kinds(paths: Paths, raw: RawFiles): (row: Row) => string | undefined {
  const known = new Map<string, string>();
  const add = (image: string, question: unknown, answer: unknown, kind: unknown): void => {
    if (typeof kind === "string" && kind.trim() !== "") known.set(key(image, question, answer), kind.trim().toLowerCase());
  };
  const key = (image: string, question: unknown, answer: unknown): string => JSON.stringify([flatName(image), matchText(question), matchText(answer)]);
  for (const row of objectRows(raw.slake)) add(`images/${pyStr(row.img_name)}`, row.question, row.answer, row.content_type);
  for (const row of vqaRadOriginal(paths)) add(pyStr(row.image_name), row.question, row.answer, row.question_type);
  return ({ image, question, answer }) => known.get(key(image, question, answer));
}

function vqaRadOriginal(paths: Paths): Readonly<Record<string, unknown>>[] {
  const listing = paths.listing("vqa-rad");
  if (!existsSync(listing)) return [];
  const { files } = readJson(listing, "Delete it and prepare vqa-rad again.") as { files: readonly { path: string }[] };
  const name = files.map(({ path }) => path).find((path) => path.toLowerCase().endsWith(".json"));
  const file = name === undefined ? null : join(paths.downloads("vqa-rad"), name);
  return file !== null && existsSync(file) ? objectRows(readJson(file, "Delete it and prepare vqa-rad again.")) : [];
}


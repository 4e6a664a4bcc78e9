/**
 * The join of MedThink's rationales to the questions of VQA-RAD, SLAKE and PathVQA, with the reference implementation's
 * keys, order and file contents. Departures are in what is made of it for our own files: rows without their image are
 * left out there, and a test question's rationale must agree in the answer too.
 */
import { isRecord, type JsonObject } from "../../util/json-file.js";
import { foldText, isYesNoAnswer, matchText, pyStr, pyStrip, pyTruthy } from "./python-text.js";

export type JoinSet = "vqa-rad" | "slake" | "pathvqa";
export const joinSets: readonly JoinSet[] = ["vqa-rad", "slake", "pathvqa"];

export interface Rationale {
  readonly set: JoinSet;
  /** Base name; SLAKE's folder is joined to it by `_`. */
  readonly image: string;
  readonly question: string;
  readonly answer: string;
  readonly solution: string;
}

export interface Dropped {
  readonly dataset: JoinSet;
  readonly split: "train" | "test";
  readonly reason: string;
  readonly image: string;
  readonly question: string;
  readonly answer: string;
}

export type RawFiles = Readonly<Partial<Record<JoinSet, unknown>>>;

/** The rows of a list, or the values of an object, that are objects. */
export function objectRows(data: unknown): JsonObject[] {
  const rows = Array.isArray(data) ? (data as unknown[]) : isRecord(data) ? Object.values(data) : [];
  return rows.filter(isRecord);
}

/** An image's name without folders; SLAKE's `xmlab12/source.jpg` becomes `xmlab12_source.jpg`. */
export function flatName(path: string): string {
  const parts = path.replaceAll("\\", "/").split("/");
  return path.includes("xmlab") && parts.length >= 2 ? parts.slice(-2).join("_") : parts[parts.length - 1];
}

/** The rationale's answer: of the choices where it is an index into them. */
function answerOf(row: JsonObject): unknown {
  const { choices, answer } = row;
  return typeof answer === "number" && Number.isInteger(answer) && Array.isArray(choices) && answer >= 0 && answer < choices.length
    ? (choices[answer] as unknown)
    : answer;
}

/**
 * MedThink's open-ended rows of all sets in one list. Of rows with the same key the first stays.
 * @param byAnswer training: the key has the answer in it and texts are folded; testing: image and question as they are.
 */
export function mergeRationales(files: RawFiles, split: "train" | "test", drop: (row: Dropped) => void): Rationale[] {
  const merged: Rationale[] = [];
  const seen = new Set<string>();
  for (const set of joinSets) {
    if (files[set] === undefined) continue;
    for (const row of objectRows(files[set])) {
      const answer = answerOf(row);
      const image = flatName(pyStr(pyTruthy(row.img_name) ? row.img_name : pyTruthy(row.image) ? row.image : ""));
      const question = "question" in row ? pyStr(row.question) : "";
      const rationale: Rationale = { set, image, question, answer: pyStr(answer), solution: "solution" in row ? pyStr(row.solution) : "" };
      const refuse = (reason: string): void => drop({ dataset: set, split, reason, image, question, answer: rationale.answer });
      if (isYesNoAnswer(answer)) refuse("rationale for a yes-or-no question");
      else if (image === "" || question === "") refuse("rationale without image or question");
      else {
        const key = JSON.stringify(split === "train" ? [image, foldText(question), foldText(answer)] : [image, question]);
        if (seen.has(key)) refuse("second rationale for the same question");
        else {
          seen.add(key);
          merged.push(rationale);
        }
      }
    }
  }
  return merged;
}

/** A question of an original data set, as the raw files have it. */
export interface Original {
  readonly set: JoinSet;
  /** Relative to the set's own folder. */
  readonly image: string;
  readonly question: string;
  /** As it stands; not always a text. */
  readonly answer: unknown;
}

export function originals(set: JoinSet, data: unknown): Original[] {
  const text = (row: JsonObject, key: string): string => (key in row ? pyStr(row[key]) : "");
  return objectRows(data).map((row): Original =>
    set === "pathvqa"
      ? { set, image: text(row, "image"), question: text(row, "problem"), answer: "solution" in row ? row.solution : "" }
      : set === "slake"
        ? { set, image: `images/${text(row, "img_name")}`, question: text(row, "question"), answer: "answer" in row ? row.answer : "" }
        : { set, image: text(row, "image"), question: text(row, "question"), answer: "answer" in row ? row.answer : "" },
  );
}

function originalKey({ image, question, answer }: Pick<Original, "image" | "question" | "answer">): string {
  return JSON.stringify([flatName(image), matchText(question), matchText(answer)]);
}

/** Rationales whose image, question and answer also stand in an original data set (whichever), in MedThink's order. */
export function joinTraining(rationales: readonly Rationale[], questions: readonly Original[], drop: (row: Dropped) => void): Rationale[] {
  const keys = new Set(questions.filter(({ image, question }) => flatName(image) !== "" && question !== "").map(originalKey));
  return rationales.filter((rationale) => {
    const known = keys.has(JSON.stringify([rationale.image, matchText(rationale.question), matchText(rationale.answer)]));
    if (!known) drop({ dataset: rationale.set, split: "train", reason: "rationale matches no question of the data set", image: rationale.image, question: rationale.question, answer: rationale.answer });
    return known;
  });
}

/** Open-ended original questions that no rationale was found for: for the report, never in the output. */
export function withoutRationale(questions: readonly Original[], joined: readonly Rationale[]): Original[] {
  const keys = new Set(joined.map(({ image, question, answer }) => JSON.stringify([image, matchText(question), matchText(answer)])));
  return questions.filter((one) => !isYesNoAnswer(one.answer) && !keys.has(originalKey(one)));
}

/** Where the image of a rationale lies, relative to the set's own folder. */
export function imageOfRationale({ set, image }: Rationale): string {
  return set === "slake" ? `images/${image.replace("_", "/")}` : `images/${image}`;
}

/** The open-ended test questions of one set; of SLAKE the English ones. */
export function openTest(set: JoinSet, data: unknown, drop: (row: Dropped) => void): Original[] {
  const rows = objectRows(data);
  return originals(set, data).filter((one, index) => {
    // The reference looks at a missing answer as Python's None and keeps it.
    const row = rows[index];
    const answer = set === "pathvqa" ? row.solution : row.answer;
    const refuse = (reason: string): false => {
      drop({ dataset: set, split: "test", reason, image: one.image, question: one.question, answer: pyStr(answer) });
      return false;
    };
    if (set === "slake" && row.q_lang !== "en") return refuse("not in English");
    return isYesNoAnswer(answer) ? refuse("yes-or-no question") : true;
  });
}

/** Rationale of a test question by image, question and answer as the reference's evaluation matches them; the last counts. */
export function rationaleIndex(rationales: readonly Rationale[]): (image: string, question: string, answer: string) => string | null {
  const key = (image: string, question: string, answer: string): string => JSON.stringify([image, foldText(question), foldText(answer)]);
  const index = new Map<string, string>();
  for (const { image, question, answer, solution } of rationales) {
    const text = pyStrip(solution);
    if (image !== "" && pyStrip(question) !== "" && text !== "") index.set(key(image, question, answer), text);
  }
  return (image, question, answer) => index.get(key(flatName(image), question, answer)) ?? null;
}

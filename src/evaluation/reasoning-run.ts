import { statSync } from "node:fs";
import { namedPath } from "../inference/data.js";
import { UserError } from "../util/errors.js";
import { isRecord, readJson } from "../util/json-file.js";
import { readAnswers, type PlacedRow } from "./answers.js";
import { estimateSystem } from "./estimates.js";
import { loadGold } from "./gold.js";
import { measureReasoning, reasoningTasks, type ReasoningTasks } from "./reasoning.js";
import { parseReasoningFile, writeReasoningFile, type ReasoningFile, type ReasoningInputs } from "./reasoning-file.js";

export { judgeReasoning, measureReasoning } from "./reasoning.js";
export { stepPositions, worstPosition } from "./positions.js";

export const nothingLeftOut: ReasoningTasks["leftOut"] = { failed: 0, duplicates: 0, noGold: 0 };

/** Files whose sentences are judged already, as one; `null` where they are inference files. @throws UserError for a mixture. */
export function readJudged(paths: readonly string[]): ReasoningFile | null {
  const values = paths.map((text) => {
    const { name, path } = namedPath(text);
    if (statSync(path, { throwIfNoEntry: false }) === undefined) throw new UserError(`${path}: no such file`);
    return { name, path, value: readJson(path, "Name files of breakwater infer, or results of eval reasoning.") };
  });
  const judged = values.filter(({ value }) => isRecord(value) && "results" in value);
  if (judged.length === 0) return null;
  if (judged.length < values.length) throw new UserError("inference files and judged ones stand together; evaluate them one after the other");
  const files = judged.map(({ name, path, value }) => {
    const file = parseReasoningFile(value, path);
    return name === null ? file : { ...file, rows: file.rows.map((row) => ({ ...row, dataset: name, labelled: true })) };
  });
  return { name: files[0].name, judge: files[0].judge, rows: files.flatMap(({ rows }) => rows) };
}

/** What the inference files hold and what of it is to be judged. @throws UserError where nothing is. */
export function readTasks(paths: readonly string[], goldPaths: readonly string[] | null, split: string): { readonly rows: readonly PlacedRow[]; readonly tasks: ReasoningTasks } {
  const rows = readAnswers(paths);
  const gold = goldPaths === null ? null : loadGold(goldPaths, split);
  const tasks = reasoningTasks(rows, gold);
  if (tasks.tasks.length === 0) {
    const { failed, noGold } = tasks.leftOut;
    throw new UserError(
      `none of the ${rows.length} rows can be judged: ${noGold} have no gold reasoning among ${gold?.size ?? 0} entries (matched by image name, question and answer), ${failed} have no completion`,
    );
  }
  return { rows, tasks };
}

export function writeReasoning(path: string, file: ReasoningFile, inputs: ReasoningInputs): void {
  writeReasoningFile(path, file, inputs, estimateSystem(measureReasoning(file.rows)));
}

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../util/errors.js";
import { readEvaluation, type EvaluationFile, type EvaluationSettings } from "./file.js";

/** Where a run keeps the evaluations of its model. */
export function evaluationsDir(run: string): string {
  return join(run, "evaluations");
}

/** Named by what it was measured on, so that the same name in two runs' folders means the same settings. */
export function evaluationFileName(settings: EvaluationSettings, questions: number): string {
  const { data, split, temperature, samplesPerQuestion, seed } = settings;
  const parts = [basename(data), split, `t${temperature}`, `q${questions}`];
  if (samplesPerQuestion !== 1) parts.push(`n${samplesPerQuestion}`);
  if (seed !== 0) parts.push(`s${seed}`);
  return `${parts.join("-").replace(/[^A-Za-z0-9._-]+/g, "_")}.json`;
}

/** File names of a run's evaluations, the newest first. */
export function listEvaluations(run: string): string[] {
  const dir = evaluationsDir(run);
  if (!existsSync(dir)) return [];
  const written = (name: string) => statSync(join(dir, name)).mtimeMs;
  return readdirSync(dir)
    .filter((name) => name.endsWith(".json"))
    .sort((a, b) => written(b) - written(a));
}

/**
 * Evaluations of several runs (folders) or evaluation files, made under the same settings where the runs allow: the
 * newest file name that all run folders have. Throws a UserError where a folder has none, or they share none.
 */
export function evaluationsOf(paths: readonly string[]): EvaluationFile[] {
  const folders = paths.filter((path) => isFolder(path));
  const names = folders.map(listEvaluations);
  folders.forEach((folder, f) => {
    if (names[f].length === 0) {
      throw new UserError(`${folder}: no evaluation in it; make one with: breakwater eval ${folder} --data DIR`);
    }
  });
  const shared = (names[0] ?? []).find((name) => names.every((others) => others.includes(name)));
  if (folders.length > 0 && shared === undefined) {
    const have = folders.map((folder, f) => `${folder} has ${names[f].join(", ")}`).join("; ");
    throw new UserError(`the runs were not evaluated in the same way (${have}); evaluate them alike with breakwater eval`);
  }
  const evaluations = paths.map((path) =>
    readEvaluation(isFolder(path) && shared !== undefined ? join(evaluationsDir(path), shared) : path),
  );
  // Two runs may have the same folder name in different places.
  const given = evaluations.map(({ name }) => name);
  return evaluations.map((evaluation, e) =>
    given.indexOf(evaluation.name) === given.lastIndexOf(evaluation.name) ? evaluation : { ...evaluation, name: paths[e] },
  );
}

/** Throws a UserError for a path that does not exist. */
function isFolder(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UserError(`${path}: no such run folder or evaluation file`);
  return found.isDirectory();
}

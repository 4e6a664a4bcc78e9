import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { UserError } from "../util/errors.js";
import { readJsonLines } from "./json-lines.js";
import { runFiles, stepOfCheckpoint } from "./layout.js";
import { RolloutsDb } from "./rollouts-db.js";
import { readRunConfig } from "./run-folder.js";
import { RUN_FORMAT, type RunReader, type RunStatus } from "./types.js";

/** Opens a run's folder for reading, finished or not. Throws a UserError where it is none or of a newer format. */
export function openRun(path: string): RunReader {
  const dir = resolve(path);
  const config = readRunConfig(dir);
  const status = () => readStatus(dir);
  const format = status()?.format ?? RUN_FORMAT;
  if (format > RUN_FORMAT) {
    throw new UserError(`${dir}: written by a newer breakwater (format ${format}, this one reads ${RUN_FORMAT}); update it`);
  }
  let db: RolloutsDb | null = null;
  const rollouts = () => (db ??= existsSync(runFiles.rollouts(dir)) ? RolloutsDb.read(runFiles.rollouts(dir)) : null);
  return {
    dir,
    name: basename(dir),
    config,
    status,
    metrics: () => readJsonLines(runFiles.metrics(dir)),
    timings: () => readJsonLines(runFiles.timings(dir)),
    timeline: () => readJsonLines(runFiles.timeline(dir)),
    evaluations: () => readJsonLines(runFiles.evaluations(dir)),
    checkpoints: () => checkpointsOf(dir),
    modelDir: () => (existsSync(runFiles.model(dir)) ? runFiles.model(dir) : null),
    rolloutSteps: () => rollouts()?.steps() ?? [],
    rollouts: (query) => rollouts()?.rollouts(query) ?? [],
    examples: (ids) => rollouts()?.examples(ids) ?? [],
    close: () => {
      db?.close();
      db = null;
    },
  };
}

/** Checkpoint folders under their final names, ascending; renamed only when whole, not re-verified here. */
export function checkpointsOf(dir: string): { step: number; dir: string }[] {
  const parent = runFiles.checkpoints(dir);
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .flatMap((name) => {
      const step = stepOfCheckpoint(name);
      return step === null ? [] : [{ step, dir: join(parent, name) }];
    })
    .sort((a, b) => a.step - b.step);
}

function readStatus(dir: string): RunStatus | null {
  const path = runFiles.status(dir);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as RunStatus) : null;
}

import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { openRun } from "../store/reader.js";
import { ENGINE_FOLDER } from "../training/checkpoint.js";
import { configOf } from "../training/config.js";
import type { TrainConfig } from "../training/schema.js";
import { UserError } from "../util/errors.js";

/** What is evaluated: weights with the settings that their prompts need. */
export interface Target {
  readonly name: string;
  readonly model: string;
  /** State to load into the engine; `null` where `model` is all there is. Adapters are kept apart from their model. */
  readonly state: string | null;
  readonly config: TrainConfig;
  /** The run's folder; `null` for a model folder. */
  readonly run: string | null;
}

/** Longest completion of a model that comes without a run, tokens; the paper's value. */
export const MODEL_MAX_TOKENS = 512;

/** Opens a run's newest weights, a Hugging Face folder, or `start`. @throws UserError where there is nothing yet. */
export function openTarget(path: string): Target {
  if (path === "start" && !existsSync(path)) return { name: "start", model: "start", state: null, config: configOf({}), run: null };
  if (!existsSync(path)) throw new UserError(`${path}: no such run or model folder`);
  const dir = resolve(path);
  if (!isRun(dir)) return { name: modelName(dir), model: dir, state: null, config: configOf({}), run: null };
  const run = openRun(dir);
  try {
    const config = configOf(run.config, `${path}/config.json`);
    const newest = run.checkpoints().at(-1);
    const saved = newest === undefined ? null : join(newest.dir, ENGINE_FOLDER);
    const whole = config.engine.trainable === "full";
    const model = whole ? (run.modelDir() ?? saved) : saved === null ? null : config.model;
    if (model === null) throw new UserError(`${path}: this run has neither finished nor saved a checkpoint yet, so there is nothing to evaluate`);
    return { name: run.name, model, state: whole ? null : saved, config, run: dir };
  } finally {
    run.close();
  }
}

/** Longest completion: as told, the run's own, or what fits a model of `longest` tokens. */
export function maxTokensOf({ run, config }: Target, longest: number, told?: number): number {
  return told ?? (run === null ? Math.min(MODEL_MAX_TOKENS, Math.floor(longest / 2)) : config.sampling.maxTokens);
}

/** A model folder has a config.json too; only a run has a status or metrics beside it. */
function isRun(dir: string): boolean {
  return existsSync(join(dir, "status.json")) || existsSync(join(dir, "metrics.jsonl"));
}

/** `run/model` and `run/checkpoints/step/engine` are named after what they belong to. */
function modelName(dir: string): string {
  return ["model", ENGINE_FOLDER].includes(basename(dir)) ? `${basename(dirname(dir))}-${basename(dir)}` : basename(dir);
}

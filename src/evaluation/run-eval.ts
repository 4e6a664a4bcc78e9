import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { verifyExample } from "../datasets/phantom/index.js";
import { answerScorer } from "../rewards/answer.js";
import { openRun } from "../store/reader.js";
import { ENGINE_FOLDER } from "../training/checkpoint.js";
import { checkImages } from "../training/check-images.js";
import { configOf } from "../training/config.js";
import { createParts } from "../training/create-parts.js";
import type { TrainConfig } from "../training/schema.js";
import { UserError } from "../util/errors.js";
import { evaluate } from "./evaluate.js";
import { EVALUATION_FORMAT, writeEvaluation, type EvaluationFile, type EvaluationSettings } from "./file.js";
import { evaluationFileName, evaluationsDir } from "./run-evaluations.js";
import { summarize, summarizeKinds } from "./summary.js";

export interface RunEvalOptions {
  readonly data: string;
  readonly split: string;
  readonly temperature: number;
  /** The first n questions; 0 takes all. */
  readonly questions: number;
  readonly samplesPerQuestion: number;
  readonly seed: number;
  readonly batch: number;
  /** The run's own, or what fits the model, where not given. */
  readonly maxTokens?: number;
  /** Where to write besides the run's folder. */
  readonly json?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What is evaluated: weights with the settings that their prompts need. */
interface Target {
  readonly name: string;
  readonly model: string;
  /** State to load into the engine; `null` where `model` is all there is. Adapters are kept apart from their model. */
  readonly state: string | null;
  readonly config: TrainConfig;
  /** The run's folder; `null` for a model folder. */
  readonly run: string | null;
}

const MODEL_MAX_TOKENS = 512;

/** Evaluates a run's model (or a Hugging Face folder, or `start`) and saves the result. */
export async function runEvaluation(
  path: string,
  options: RunEvalOptions,
): Promise<{ readonly evaluation: EvaluationFile; readonly files: readonly string[]; readonly tooLong: number }> {
  const target = openTarget(path);
  const { data, split, temperature, questions, samplesPerQuestion, seed, batch, signal, onProgress } = options;
  const base = target.config;
  // As supervised learning: nothing that only training needs (rollout judge, held-out data) is asked for.
  const parts = await createParts({
    ...base,
    method: "sft",
    model: target.model,
    data: { ...configOf({}).data, openEndedOnly: base.data.openEndedOnly, path: resolve(data), split, limit: questions },
    engine: { ...base.engine, trainable: target.state === null ? "full" : base.engine.trainable },
    evaluation: { ...base.evaluation, every: 0 },
    sft: { ...base.sft, corruption: "none" },
  });
  try {
    const { examples, engine } = parts;
    if (target.state !== null) await engine.load(target.state);
    if (examples.length === 0) throw new UserError(`${data}: no question in split "${split}"; name another with --split`);
    const known = base.judge.kind !== "phantom" || examples.some((example) => verifyExample(example, []).status === "judged");
    const judge = known ? parts.judge : null;
    await checkImages(parts.codec, examples, resolve(data));
    const longest = engine.capabilities.maxSequenceTokens;
    const maxTokens = options.maxTokens ?? (target.run === null ? Math.min(MODEL_MAX_TOKENS, Math.floor(longest / 2)) : base.sampling.maxTokens);
    const { chains, speed, tooLong } = await evaluate({ ...parts, judge }, examples, {
      ...{ temperature, maxTokens, samplesPerQuestion, seed, batch, signal, onProgress },
      stop: base.sampling.stop,
      kMin: base.rewards.kMin,
      kMax: base.rewards.kMax,
    });
    if (chains.length === 0) {
      throw new UserError(`every prompt and ${maxTokens} new tokens exceed the model's ${longest} tokens; lower --max-tokens`);
    }
    const settings: EvaluationSettings = {
      ...{ model: target.model, data: resolve(data), split, temperature, maxTokens, samplesPerQuestion, seed },
      judge: judge?.name ?? null,
      answerScorer: answerScorer(parts.encoder),
    };
    const evaluation: EvaluationFile = {
      format: EVALUATION_FORMAT,
      name: target.name,
      method: target.run === null ? null : base.method,
      runSeed: target.run === null ? null : base.seed,
      settings,
      summary: summarize(chains),
      kinds: summarizeKinds(chains),
      speed,
      chains,
    };
    const file = evaluationFileName(settings, evaluation.summary.questions);
    const files = target.run !== null ? [join(evaluationsDir(target.run), file)] : options.json === undefined ? [join("evaluations", target.name, file)] : [];
    if (options.json !== undefined) files.push(options.json);
    for (const at of files) writeEvaluation(at, evaluation);
    return { evaluation, files, tooLong: tooLong.length };
  } finally {
    await parts.judge?.close?.();
    await parts.engine.close();
  }
}

function openTarget(path: string): Target {
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

/** A model folder has a config.json too; only a run has a status or metrics beside it. */
function isRun(dir: string): boolean {
  return existsSync(join(dir, "status.json")) || existsSync(join(dir, "metrics.jsonl"));
}

/** `run/model` and `run/checkpoints/step/engine` are named after what they belong to. */
function modelName(dir: string): string {
  return ["model", ENGINE_FOLDER].includes(basename(dir)) ? `${basename(dirname(dir))}-${basename(dir)}` : basename(dir);
}

import { join, resolve } from "node:path";
import { verifyExample } from "../datasets/phantom/index.js";
import { answerScorer } from "../rewards/answer.js";
import { checkImages } from "../training/check-images.js";
import { configOf } from "../training/config.js";
import { createParts } from "../training/create-parts.js";
import { UserError } from "../util/errors.js";
import { evaluate } from "./evaluate.js";
import { EVALUATION_FORMAT, writeEvaluation, type EvaluationFile, type EvaluationSettings } from "./file.js";
import { evaluationFileName, evaluationsDir } from "./run-evaluations.js";
import { summarize, summarizeKinds } from "./summary.js";
import { maxTokensOf, openTarget } from "./target.js";

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
  /** Called before anything is written, so that a full disk does not lose what was measured. */
  readonly onResult?: (evaluation: EvaluationFile, tooLong: number) => void;
}

/** Evaluates a run's model (or a Hugging Face folder, or `start`) and saves the result. */
export async function runEvaluation(
  path: string,
  options: RunEvalOptions,
): Promise<{ readonly evaluation: EvaluationFile; readonly files: readonly string[]; readonly tooLong: number }> {
  const target = openTarget(path);
  const { data, split, temperature, questions, samplesPerQuestion, seed, batch, signal, onProgress } = options;
  const base = target.config;
  // As supervised learning: nothing that only training needs (rollout judge, held-out data) is asked for.
  const parts = await createParts(
    {
      ...base,
      // Where the run is now: its judge's cache lies in it.
      output: target.run ?? undefined,
      method: "sft",
      model: target.model,
      data: { ...configOf({}).data, openEndedOnly: base.data.openEndedOnly, path: resolve(data), split, limit: questions },
      engine: { ...base.engine, trainable: target.state === null ? "full" : base.engine.trainable },
      evaluation: { ...base.evaluation, every: 0 },
      sft: { ...base.sft, corruption: "none" },
    },
    { answers: true },
  );
  try {
    parts.judge?.listen?.((notice) => void process.stderr.write(`judge: ${notice}\n`));
    const { examples, engine } = parts;
    if (target.state !== null) await engine.load(target.state);
    if (examples.length === 0) throw new UserError(`${data}: no question in split "${split}"; name another with --split`);
    const known = base.judge.kind !== "phantom" || examples.some((example) => verifyExample(example, []).status === "judged");
    const judge = known ? parts.judge : null;
    await checkImages(parts.codec, examples, resolve(data));
    const longest = engine.capabilities.maxSequenceTokens;
    const maxTokens = maxTokensOf(target, longest, options.maxTokens);
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
    options.onResult?.(evaluation, tooLong.length);
    for (const at of files) writeEvaluation(at, evaluation);
    return { evaluation, files, tooLong: tooLong.length };
  } finally {
    await parts.judge?.close?.();
    await parts.encoder?.close?.();
    await parts.engine.close();
  }
}

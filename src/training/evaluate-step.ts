import { ffpBins, summariseCascades } from "../evaluation/cascade.js";
import { sampleAndScore } from "../evaluation/sample-and-score.js";
import type { EvaluationRow } from "../store/types.js";
import type { Group } from "../types.js";
import { seedFrom } from "../util/random.js";
import type { TrainingParts } from "./parts.js";
import type { TrainConfig } from "./schema.js";
import { groupMetrics, validityOf } from "./step-metrics.js";

/** One completion of each held-out question, with the same seeds at every step, so that steps compare in pairs. */
export async function evaluateStep(parts: TrainingParts, config: TrainConfig, step: number): Promise<EvaluationRow> {
  const { sampling, rewards, evaluation, batch } = config;
  const { temperature } = evaluation;
  const questions = parts.heldOut.slice(0, evaluation.questions);
  const groups: Group[] = [];
  let tooLong = 0;
  const scored = sampleAndScore(parts, questions, {
    params: { maxTokens: sampling.maxTokens, temperature, topP: sampling.topP, topK: sampling.topK, stop: sampling.stop },
    samples: 1,
    seedOf: (id) => seedFrom(config.seed, "evaluation", id),
    batch: Math.max(1, batch.prompts * sampling.groupSize),
    kMin: rewards.kMin,
    kMax: rewards.kMax,
  });
  for await (const part of scored) {
    groups.push(...part.groups);
    tooLong += part.tooLong.length;
  }
  const metrics = groupMetrics(groups, [], config);
  const cascade = summariseCascades(groups.flatMap((group) => group.rollouts.map(validityOf)));
  return {
    step,
    split: config.evaluation.data.split ?? "held-out",
    temperature,
    questions: questions.length - tooLong,
    chains: metrics.rollouts,
    accuracy: metrics.accuracy,
    stepValidity: metrics.stepValidity,
    failingShare: metrics.failingShare,
    early: metrics.earlyShare,
    mid: metrics.midShare,
    late: metrics.lateShare,
    far: metrics.far,
    farByBin: Array.from({ length: ffpBins }, (_, bin) => cascade.farByBin[bin].far.mean),
    stepsPerChain: metrics.stepsPerChain,
    completionTokens: metrics.completionTokens,
    truncatedShare: metrics.truncatedShare,
    unscored: metrics.unscored,
  };
}

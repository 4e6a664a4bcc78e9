import { ffpBins, summariseCascades } from "../evaluation/cascade.js";
import { sampleGroups } from "../rollouts/sample-groups.js";
import type { EvaluationRow } from "../store/types.js";
import type { Group } from "../types.js";
import { seedFrom } from "../util/random.js";
import type { TrainingParts } from "./parts.js";
import type { TrainConfig } from "./schema.js";
import { scoreGroups } from "./score-groups.js";
import { groupMetrics, validityOf } from "./step-metrics.js";

/** One completion of each held-out question, with the same seeds at every step, so that steps compare in pairs. */
export async function evaluateStep(parts: TrainingParts, config: TrainConfig, step: number): Promise<EvaluationRow> {
  const { engine, codec, judge, encoder, heldOut } = parts;
  const { sampling, rewards, evaluation, batch } = config;
  const { temperature } = evaluation;
  const params = { maxTokens: sampling.maxTokens, temperature, topP: sampling.topP, topK: sampling.topK, stop: sampling.stop };
  const seedOf = (id: string) => seedFrom(config.seed, "evaluation", id);
  const questions = heldOut.slice(0, evaluation.questions);
  const size = Math.max(1, batch.prompts * sampling.groupSize);
  const groups: Group[] = [];
  for (let at = 0; at < questions.length; at += size) {
    const part = questions.slice(at, at + size);
    const prompts = await Promise.all(part.map(async (example) => ({ example, prompt: await codec.prompt(example) })));
    const sampled = await sampleGroups(engine, prompts, { params, groupSize: 1, seedOf, decode: codec.decode });
    const scoring = { segmentation: codec.segmentation, judge, encoder, kMin: rewards.kMin, kMax: rewards.kMax };
    groups.push(...(await scoreGroups(part.map((example, i) => ({ example, rollouts: sampled[i] })), scoring)));
  }
  const metrics = groupMetrics(groups, [], config);
  const cascade = summariseCascades(groups.flatMap((group) => group.rollouts.map(validityOf)));
  return {
    step,
    split: config.evaluation.data.split ?? "held-out",
    temperature,
    questions: questions.length,
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

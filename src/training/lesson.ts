/** What the policy learns from in one step: sampled and judged completions, or gold chains. */
import type { GroupCredit } from "../advantages/credit.js";
import { fitting, sampleGroups, type PromptedExample } from "../rollouts/sample-groups.js";
import type { RunFolder } from "../store/run-folder.js";
import type { StoredExample, StoredRollout } from "../store/types.js";
import type { Datum, Example, Group, Prompt } from "../types.js";
import { UserError } from "../util/errors.js";
import { creditGroups } from "./credit.js";
import { policyData, supervisedData } from "./data.js";
import { completionSeed } from "./data-order.js";
import type { TrainingParts } from "./parts.js";
import type { TrainConfig } from "./schema.js";
import { scoreGroups, type SampledGroup } from "./score-groups.js";
import { groupMetrics, supervisedMetrics } from "./step-metrics.js";

/** Data of one update, and what is kept of it. */
export interface Lesson {
  readonly data: Datum[];
  readonly metrics: ReturnType<typeof groupMetrics>;
  readonly skippedPrompts: number;
  readonly sampledTokens: number | null;
  readonly examples: readonly StoredExample[];
  readonly rollouts: readonly StoredRollout[];
}

export interface LessonOptions {
  readonly config: TrainConfig;
  readonly parts: TrainingParts;
  readonly run: Pick<RunFolder, "log">;
}

/** A sampled group with the prompt that it was asked by. */
export interface SampledExample extends SampledGroup {
  readonly prompt: Prompt;
}

/** Samples a group of completions of one step's examples. */
export async function sampleExamples(
  prompted: readonly PromptedExample[],
  step: number,
  { config, parts }: LessonOptions,
  signal?: AbortSignal,
): Promise<SampledExample[]> {
  const { groupSize, temperature, topP, topK, maxTokens, stop } = config.sampling;
  const rollouts_PG = await sampleGroups(parts.engine, prompted, {
    params: { maxTokens, temperature, topP, topK, stop },
    groupSize,
    seedOf: (id, g) => completionSeed(config.seed, step, id, g),
    decode: parts.codec.decode,
    signal,
  });
  return prompted.map(({ example, prompt }, p) => ({ example, prompt, rollouts: rollouts_PG[p] }));
}

/** Segments, judges and rewards groups. */
export function scoreExamples(
  sampled: readonly SampledExample[],
  { config, parts }: LessonOptions,
  options: { readonly signal?: AbortSignal; readonly onJudged?: (seconds: number) => void } = {},
): Promise<Group[]> {
  const { judge, encoder, codec } = parts;
  const { kMin, kMax } = config.rewards;
  return scoreGroups(sampled, { segmentation: codec.segmentation, judge, encoder, kMin, kMax, ...options });
}

/** The lesson of scored groups; `sampled[p]` is what `groups_P[p]` was made of. */
export function sampledLesson(sampled: readonly SampledExample[], groups_P: readonly Group[], skippedPrompts: number, step: number, config: TrainConfig): Lesson {
  const credit_P = creditGroups(groups_P, config);
  const data = policyData(
    sampled.flatMap(({ prompt, rollouts }, p) =>
      rollouts.map((rollout, g) => ({ prompt, rollout, tokenAdvantages: credit_P[p].tokenAdvantages[g] })),
    ),
    config,
  );
  return {
    data,
    metrics: groupMetrics(groups_P, credit_P, config),
    skippedPrompts,
    sampledTokens: sampled.flatMap(({ rollouts }) => rollouts).reduce((sum, { tokens }) => sum + tokens.length, 0),
    examples: groups_P.map(({ example }) => storedExample(example)),
    rollouts: groups_P.flatMap((group, p) => storedRollouts(step, group, credit_P[p])),
  };
}

/** The gold chain and answer of each example. */
export async function goldLesson(batch: readonly Example[], epoch: number, options: LessonOptions): Promise<Lesson> {
  const { config, parts } = options;
  const { fit, skipped } = await promptsThatFit(batch, 1, options);
  const maxSequence = parts.engine.capabilities.maxSequenceTokens;
  const gold = fit.flatMap(({ example, prompt }) => {
    const completion = parts.codec.target(example, epoch);
    return completion === null || prompt.tokens.length + completion.length > maxSequence ? [] : [{ prompt, completion }];
  });
  if (gold.length === 0) {
    const named = fit.slice(0, 3).map(({ example }) => example.id).join(", ");
    throw new UserError(
      `no gold completion of the batch fits (${named}, …): with its prompt each has more than the ${maxSequence} tokens that engine ` +
        `${parts.engine.capabilities.name} takes; take a model with a longer context or a larger vocabulary`,
    );
  }
  return {
    data: supervisedData(gold, config),
    metrics: supervisedMetrics(gold.map(({ completion }) => completion.length)),
    skippedPrompts: skipped + fit.length - gold.length,
    ...{ sampledTokens: null, examples: [], rollouts: [] },
  };
}

/** Prompts that leave room for a completion; throws where none of the batch does. */
export async function promptsThatFit(
  batch: readonly Example[],
  maxTokens: number,
  { parts, run }: LessonOptions,
): Promise<{ fit: PromptedExample[]; skipped: number }> {
  const prompts = await Promise.all(batch.map(async (example) => ({ example, prompt: await parts.codec.prompt(example) })));
  const { maxSequenceTokens, name } = parts.engine.capabilities;
  const { fit, tooLong } = fitting(prompts, maxTokens, maxSequenceTokens);
  if (tooLong.length > 0) run.log(`prompts too long, left out: ${tooLong.join(", ")}`);
  if (fit.length > 0) return { fit, skipped: tooLong.length };
  const shortest = Math.min(...prompts.map(({ prompt }) => prompt.tokens.length));
  throw new UserError(
    `no prompt of the batch fits (${tooLong.slice(0, 3).join(", ")}, …): the shortest has ${shortest} tokens and up to ${maxTokens} are to follow, ` +
      `but engine ${name} takes ${maxSequenceTokens} in all; lower --sampling.max-tokens or take a model with a longer context`,
  );
}

function storedExample({ id, image, question, answer, goldReasoning, kind }: Example): StoredExample {
  return { id, image, question, answer, goldReasoning, kind: kind ?? null };
}

function storedRollouts(step: number, { rollouts }: Group, credit: GroupCredit): StoredRollout[] {
  return rollouts.map(({ rollout, answer, steps, verdict, rewards }, g) => ({
    ...rollout,
    ...{ step, answer, steps, verdict, rewards },
    advantage: credit.advantages[g],
    tokenAdvantages: credit.tokenAdvantages[g],
  }));
}

/**
 * Step-aware reinforcement learning of a policy (MRPO, arXiv 2606.31825) and its baselines, in one loop:
 * batch → rollouts → verdicts → rewards → advantages → update → evaluate → record → checkpoint.
 *
 * A step is a function of (weights, moments, seed, step): all order and all sampling is seeded by them. The checkpoint
 * comes last, so that it vouches for every record up to its step; on resume what lies after it is dropped and made again.
 */
import type { GroupCredit } from "../advantages/credit.js";
import { fitting, sampleGroups, type PromptedExample } from "../rollouts/sample-groups.js";
import type { RunFolder } from "../store/run-folder.js";
import type { MetricsRow, StoredExample, StoredRollout } from "../store/types.js";
import type { Datum, Example, Group } from "../types.js";
import { UserError } from "../util/errors.js";
import { saveCheckpoint, type TrainerState } from "./checkpoint.js";
import { creditGroups } from "./credit.js";
import { policyData, supervisedData } from "./data.js";
import { batchOf, completionSeed } from "./data-order.js";
import type { Display } from "./display.js";
import { evaluateStep } from "./evaluate-step.js";
import type { TrainingParts } from "./parts.js";
import type { TrainConfig } from "./schema.js";
import { scoreGroups } from "./score-groups.js";
import { groupMetrics, supervisedMetrics } from "./step-metrics.js";
import { StepTimer } from "./timer.js";
import { update, withReference } from "./update.js";

export interface LoopOptions {
  readonly config: TrainConfig;
  readonly parts: TrainingParts;
  readonly run: RunFolder;
  readonly display: Display;
  /** State at the last checkpoint; step 0 for a new run. */
  readonly state: TrainerState;
  readonly totalSteps: number;
  /** Told of every finished step. */
  readonly onState: (state: TrainerState) => void;
  /** Asked after every step: true saves and ends the loop. */
  readonly stopRequested: () => boolean;
}

/** What the policy learns from in one step, and what is kept of it. */
interface Lesson {
  readonly data: Datum[];
  readonly metrics: ReturnType<typeof groupMetrics>;
  readonly skippedPrompts: number;
  readonly sampledTokens: number | null;
  readonly examples: readonly StoredExample[];
  readonly rollouts: readonly StoredRollout[];
}

/** Trains to the last step or until asked to stop; returns the state after the last finished step. */
export async function trainLoop(options: LoopOptions): Promise<TrainerState> {
  const { config, parts, run, display, totalSteps } = options;
  const { engine } = parts;
  let state = options.state;
  const evaluate = async (step: number) => {
    display.phase("evaluating");
    const row = await evaluateStep(parts, config, step);
    run.recordEvaluations([row]);
    display.evaluation(row);
  };
  const evaluates = config.evaluation.every > 0 && parts.heldOut.length > 0;
  if (evaluates && state.step === 0) await evaluate(0);

  while (state.step < totalSteps) {
    const step = state.step + 1;
    const timer = new StepTimer(display);
    const { epoch, batch } = batchOf(parts.examples, config.batch.prompts, config.seed, step);
    const lesson = config.method === "sft" ? await goldLesson(batch, epoch, options, timer) : await sampledLesson(batch, step, options, timer);
    timer.enter("reference");
    const data = config.method === "sft" ? lesson.data : await withReference(engine, lesson.data, config);
    timer.enter("train");
    const { tokens, ...updated } = await update(engine, data, config, step, totalSteps);
    state = { ...state, step, epoch, rollouts: state.rollouts + lesson.metrics.rollouts, tokens: state.tokens + tokens };

    timer.enter("store");
    const { skippedPrompts } = lesson;
    const metrics: MetricsRow = { step, epoch, ...updated, ...lesson.metrics, skippedPrompts };
    const timings = timer.finish(step, tokens, lesson.sampledTokens, () =>
      run.recordRollouts(lesson.examples, lesson.rollouts),
    );
    run.recordStep(metrics, timings);
    options.onState(state);
    display.step(metrics, timings, totalSteps);

    const last = step === totalSteps;
    if (evaluates && (last || step % config.evaluation.every === 0)) await evaluate(step);
    const stopping = options.stopRequested();
    if (last || stopping || (config.checkpoint.every > 0 && step % config.checkpoint.every === 0)) {
      display.phase("saving");
      run.flush();
      await saveCheckpoint(run.dir, engine, state, config.checkpoint.keep);
    }
    run.writeStatus("running", step, totalSteps);
    if (stopping) break;
  }
  return state;
}

/** A group of completions of each example, judged, rewarded and credited. */
async function sampledLesson(batch: readonly Example[], step: number, options: LoopOptions, timer: StepTimer): Promise<Lesson> {
  const { config, parts } = options;
  const { engine, codec, judge, encoder } = parts;
  const { groupSize, temperature, topP, topK, maxTokens, stop } = config.sampling;
  timer.enter("sample");
  const { fit, skipped } = await promptsThatFit(batch, maxTokens, options);
  const rollouts_PG = await sampleGroups(engine, fit, {
    params: { maxTokens, temperature, topP, topK, stop },
    groupSize,
    seedOf: (id, g) => completionSeed(config.seed, step, id, g),
    decode: codec.decode,
  });
  timer.enter("score");
  const groups_P = await scoreGroups(
    fit.map(({ example }, p) => ({ example, rollouts: rollouts_PG[p] })),
    {
      segmentation: codec.segmentation,
      ...{ judge, encoder, kMin: config.rewards.kMin, kMax: config.rewards.kMax },
      onJudged: (seconds) => timer.move("score", "judge", seconds),
    },
  );
  const credit_P = creditGroups(groups_P, config);
  const data = policyData(
    fit.flatMap(({ prompt }, p) =>
      rollouts_PG[p].map((rollout, g) => ({ prompt, rollout, tokenAdvantages: credit_P[p].tokenAdvantages[g] })),
    ),
    config,
  );
  return {
    data,
    metrics: groupMetrics(groups_P, credit_P, config),
    skippedPrompts: skipped,
    sampledTokens: rollouts_PG.flat().reduce((sum, { tokens }) => sum + tokens.length, 0),
    examples: groups_P.map(({ example }) => storedExample(example)),
    rollouts: groups_P.flatMap((group, p) => storedRollouts(step, group, credit_P[p])),
  };
}

/** The gold chain and answer of each example. */
async function goldLesson(batch: readonly Example[], epoch: number, options: LoopOptions, timer: StepTimer): Promise<Lesson> {
  const { config, parts } = options;
  timer.enter("sample");
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
async function promptsThatFit(
  batch: readonly Example[],
  maxTokens: number,
  { parts, run }: LoopOptions,
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

/**
 * Step-aware reinforcement learning of a policy (MRPO, arXiv 2606.31825) and its baselines, in one loop:
 * batch → rollouts → verdicts → rewards → advantages → update → evaluate → record → checkpoint.
 *
 * A step is a function of (weights, moments, seed, step): all order and all sampling is seeded by them. The checkpoint
 * comes last, so that it vouches for every record up to its step; on resume what lies after it is dropped and made again.
 * With `sampling.maxStaleness` above 0 the next batches are sampled, and judged, before their turn (lookahead.ts).
 */
import { accountDifference } from "../judges/account-text.js";
import type { JudgeAccount } from "../judges/judge.js";
import type { RunFolder } from "../store/run-folder.js";
import type { MetricsRow, TimingsRow } from "../store/types.js";
import { saveCheckpoint, type TrainerState } from "./checkpoint.js";
import { batchOf } from "./data-order.js";
import type { Display } from "./display.js";
import { evaluateStep } from "./evaluate-step.js";
import { goldLesson, type Lesson } from "./lesson.js";
import { Lookahead, type AgedLesson, type PendingBatch } from "./lookahead.js";
import type { TrainingParts } from "./parts.js";
import type { TrainConfig } from "./schema.js";
import { Timeline } from "./timeline.js";
import { StepTimer } from "./timer.js";
import { update, withReference } from "./update.js";

export interface LoopOptions {
  readonly config: TrainConfig;
  readonly parts: TrainingParts;
  readonly run: RunFolder;
  readonly display: Display;
  /** State at the last checkpoint; step 0 for a new run. */
  readonly state: TrainerState;
  /** Batches that were sampled ahead when the checkpoint was made. */
  readonly pending: readonly PendingBatch[];
  readonly totalSteps: number;
  /** Told of every finished step. */
  readonly onState: (state: TrainerState) => void;
  /** Asked after every step: true saves and ends the loop. */
  readonly stopRequested: () => boolean;
}

/** Trains to the last step or until asked to stop; returns the state after the last finished step. */
export async function trainLoop(options: LoopOptions): Promise<TrainerState> {
  const { config, parts, run, display, totalSteps } = options;
  const { engine } = parts;
  const timeline = new Timeline();
  let accounted: JudgeAccount | null = null;
  let state = options.state;
  const evaluate = async (step: number) => {
    display.phase("evaluating");
    const row = await timeline.during("evaluate", step, () => evaluateStep(parts, config, step));
    run.recordEvaluations([row]);
    display.evaluation(row);
  };
  const evaluates = config.evaluation.every > 0 && parts.heldOut.length > 0;
  if (evaluates && state.step === 0) await evaluate(0);

  const lookahead = new Lookahead(options, timeline, options.pending);
  try {
    while (state.step < totalSteps) {
      const step = state.step + 1;
      const timer = new StepTimer(display);
      const supervised = config.method === "sft";
      timer.enter("sample");
      const lesson = await (supervised ? goldOf(step, options) : sampledAhead(lookahead, step, options, timer));
      const { epoch, skippedPrompts, staleness } = lesson;
      timer.enter("reference");
      const data = supervised ? lesson.data : await timeline.during("reference", step, () => withReference(engine, lesson.data, config));
      timer.enter("train");
      const { tokens, ...updated } = await timeline.during("train", step, () => update(engine, data, config, step, totalSteps));
      state = { ...state, step, epoch, rollouts: state.rollouts + lesson.metrics.rollouts, tokens: state.tokens + tokens };

      timer.enter("store");
      const metrics: MetricsRow = { step, epoch, ...updated, ...lesson.metrics, skippedPrompts, staleness };
      const timed = timer.finish(step, tokens, lesson.sampledTokens, () => run.recordRollouts(lesson.examples, lesson.rollouts));
      const account = parts.judge?.account?.();
      const timings: TimingsRow = account === undefined ? timed : { ...timed, judgeAccount: accountDifference(account, accounted) };
      accounted = account ?? null;
      run.recordStep(metrics, timings);
      options.onState(state);
      display.step(metrics, timings, totalSteps);

      const last = step === totalSteps;
      if (evaluates && (last || step % config.evaluation.every === 0)) await evaluate(step);
      const stopping = options.stopRequested();
      if (last || stopping || (config.checkpoint.every > 0 && step % config.checkpoint.every === 0)) {
        display.phase("saving");
        run.flush();
        const pending = await lookahead.pending();
        const reached = state;
        await timeline.during("save", step, () => saveCheckpoint(run.dir, engine, reached, { keep: config.checkpoint.keep, pending }));
      }
      run.recordTimeline(timeline.take());
      run.writeStatus("running", step, totalSteps);
      if (stopping) break;
    }
  } finally {
    await lookahead.close();
  }
  return state;
}

/** The gold chains of a step. */
async function goldOf(step: number, options: LoopOptions): Promise<Lesson & { epoch: number; staleness: null }> {
  const { config, parts } = options;
  const { epoch, batch } = batchOf(parts.examples, config.batch.prompts, config.seed, step);
  return { ...(await goldLesson(batch, epoch, options)), epoch, staleness: null };
}

/** The lesson of a step, while the batches after it are on their way as far as the configuration allows. */
async function sampledAhead(lookahead: Lookahead, step: number, { parts }: LoopOptions, timer: StepTimer): Promise<AgedLesson> {
  lookahead.launch(step - 1);
  // An engine that does one thing at a time must have sampled all of it before its weights may change.
  await (parts.engine.capabilities.samplesWhileTraining ? lookahead.sampled(step) : lookahead.allSampled());
  timer.enter("score");
  const since = performance.now();
  const lesson = await lookahead.take(step);
  timer.move("score", "judge", Math.min(lesson.judgeSeconds, (performance.now() - since) / 1000));
  return lesson;
}

/**
 * Batches that are sampled and judged ahead of their update. Batch s is sampled from the weights after update
 * s − 1 − maxStaleness (the start policy for the first ones), so a run is the same however long anything takes;
 * importance ratios to the recorded log-probabilities account for the lag. 0 is strictly on-policy.
 */
import type { PromptedExample } from "../rollouts/sample-groups.js";
import type { Group, Rollout } from "../types.js";
import { batchOf } from "./data-order.js";
import { promptsThatFit, sampledLesson, sampleExamples, scoreExamples, type Lesson, type LessonOptions, type SampledExample } from "./lesson.js";
import type { Timeline } from "./timeline.js";

/** A batch that was sampled but not learned from when a checkpoint was made. */
export interface PendingBatch {
  readonly step: number;
  /** Updates that the policy which sampled it had seen. */
  readonly sampledAfter: number;
  readonly groups: readonly { readonly exampleId: string; readonly rollouts: readonly Rollout[] }[];
}

interface Sampled {
  readonly groups: readonly SampledExample[];
  readonly skipped: number;
}

interface Ahead {
  readonly epoch: number;
  readonly sampledAfter: number;
  readonly sampled: Promise<Sampled>;
  readonly scored: Promise<readonly Group[]>;
  judgeSeconds: number;
}

/** Samples the completions of some of a batch's prompts. */
type Sample = (prompted: readonly PromptedExample[]) => Promise<SampledExample[]>;

/** A lesson with the epoch of its batch and the lag of the policy that sampled it. */
export interface AgedLesson extends Lesson {
  readonly epoch: number;
  /** Updates between the policy that sampled and the one that is updated. */
  readonly staleness: number;
  /** Seconds that the judge took, waited for or not. */
  readonly judgeSeconds: number;
}

export class Lookahead {
  private readonly ahead = new Map<number, Ahead>();
  private readonly abort = new AbortController();
  /** Settles when the batch launched last is sampled. */
  private lastSampled: Promise<void> = Promise.resolve();

  constructor(
    private readonly options: LessonOptions & { readonly totalSteps: number },
    private readonly timeline: Timeline,
    pending: readonly PendingBatch[] = [],
  ) {
    for (const { step, sampledAfter, groups } of pending) {
      const rolloutsOf = new Map(groups.map(({ exampleId, rollouts }) => [exampleId, rollouts]));
      this.add(step, sampledAfter, (fit) => Promise.resolve(fit.map(({ example, prompt }) => ({ example, prompt, rollouts: rolloutsOf.get(example.id) ?? [] }))));
    }
  }

  /** Begins to sample every batch that may be sampled now, `done` updates after the start. */
  launch(done: number): void {
    const { totalSteps, config } = this.options;
    const last = Math.min(totalSteps, done + 1 + config.sampling.maxStaleness);
    for (let step = done + 1; step <= last; step++) {
      if (this.ahead.has(step)) continue;
      this.add(step, done, (fit) => this.timeline.during("sample", step, () => sampleExamples(fit, step, this.options, this.abort.signal)));
    }
  }

  /** Resolves when all that was launched is sampled, for engines that cannot train meanwhile. */
  async allSampled(): Promise<void> {
    await Promise.all([...this.ahead.values()].map(({ sampled }) => sampled));
  }

  /** Resolves when the batch of a step is sampled. */
  async sampled(step: number): Promise<void> {
    await this.of(step).sampled;
  }

  /** The lesson of a step; its batch is forgotten. */
  async take(step: number): Promise<AgedLesson> {
    const batch = this.of(step);
    const groups_P = await batch.scored;
    const { groups, skipped } = await batch.sampled;
    this.ahead.delete(step);
    const { epoch, sampledAfter, judgeSeconds } = batch;
    return { ...sampledLesson(groups, groups_P, skipped, step, this.options.config), epoch, staleness: step - 1 - sampledAfter, judgeSeconds };
  }

  /** What a checkpoint must keep; waits for sampling that is under way. */
  async pending(): Promise<PendingBatch[]> {
    const batches = [...this.ahead].sort(([a], [b]) => a - b);
    return Promise.all(
      batches.map(async ([step, { sampledAfter, sampled }]) => ({
        ...{ step, sampledAfter },
        groups: (await sampled).groups.map(({ example, rollouts }) => ({ exampleId: example.id, rollouts })),
      })),
    );
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.abort.abort();
    await Promise.allSettled([...this.ahead.values()].flatMap(({ sampled, scored }) => [sampled, scored]));
  }

  private of(step: number): Ahead {
    const batch = this.ahead.get(step);
    if (batch === undefined) throw new Error(`batch ${step} was not launched`);
    return batch;
  }

  private add(step: number, sampledAfter: number, sample: Sample): void {
    const { config, parts } = this.options;
    const { epoch, batch: examples } = batchOf(parts.examples, config.batch.prompts, config.seed, step);
    const prompts = promptsThatFit(examples, config.sampling.maxTokens, this.options);
    const manyAtOnce = parts.engine.capabilities.samplesWhileTraining;
    // Where the engine takes many requests at once each group goes its own way: it is judged while others are sampled.
    const sampled = prompts.then(async ({ fit, skipped }) => {
      await (manyAtOnce ? undefined : turn);
      return { portions: manyAtOnce ? fit.map((prompted) => sample([prompted])) : [sample(fit)], skipped };
    });
    const turn = this.lastSampled;
    const groups = sampled.then(async ({ portions, skipped }) => ({ groups: (await Promise.all(portions)).flat(), skipped }));
    this.lastSampled = groups.then(nothing, nothing);
    const batch: Ahead = {
      ...{ epoch, sampledAfter, judgeSeconds: 0, sampled: groups },
      scored: sampled.then(async ({ portions }) => (await Promise.all(portions.map((portion) => portion.then(score)))).flat()),
    };
    const onJudged = (seconds: number) => void (batch.judgeSeconds = Math.max(batch.judgeSeconds, seconds));
    const score = (portion: SampledExample[]) =>
      this.timeline.during("judge", step, () => scoreExamples(portion, this.options, { signal: this.abort.signal, onJudged }));
    // A failure is thrown where the batch is taken; until then it must not count as unhandled.
    batch.sampled.catch(nothing);
    batch.scored.catch(nothing);
    this.ahead.set(step, batch);
  }
}

function nothing(): void {}

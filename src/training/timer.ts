import type { TimingsRow } from "../store/types.js";
import type { Display } from "./display.js";

const PHASES = ["sample", "judge", "score", "reference", "train", "store"] as const;
export type Phase = (typeof PHASES)[number];

const WORDS: Readonly<Record<Phase, string>> = {
  ...{ sample: "sampling", judge: "judging", score: "judging and rewarding" },
  ...{ reference: "reference log-probabilities", train: "learning", store: "storing" },
};

/** Seconds of a step's phases, as the loop waited for them; exactly one phase is running at a time. */
export class StepTimer {
  private readonly seconds: Record<Phase, number> = { sample: 0, judge: 0, score: 0, reference: 0, train: 0, store: 0 };
  private readonly started = performance.now();
  private current: { phase: Phase; since: number } | null = null;

  constructor(private readonly display: Pick<Display, "phase">) {}

  enter(phase: Phase): void {
    this.leave();
    this.current = { phase, since: performance.now() };
    this.display.phase(WORDS[phase]);
  }

  /** Books seconds that were measured inside a phase to another one. */
  move(from: Phase, to: Phase, seconds: number): void {
    this.seconds[from] -= seconds;
    this.seconds[to] += seconds;
  }

  /** Ends the step after `last` (the end of the running phase). Tokens trained on and, for RL, sampled make the rates. */
  finish(step: number, tokens: number, sampledTokens: number | null, last: () => void): TimingsRow {
    last();
    this.leave();
    const total = (performance.now() - this.started) / 1000;
    const { sample } = this.seconds;
    return {
      step,
      ...this.seconds,
      total,
      tokensPerSecond: tokens / total,
      sampledTokensPerSecond: sampledTokens === null ? null : sampledTokens / sample,
    };
  }

  private leave(): void {
    if (this.current === null) return;
    this.seconds[this.current.phase] += (performance.now() - this.current.since) / 1000;
    this.current = null;
  }
}

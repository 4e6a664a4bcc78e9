import type { StoredRollout } from "../store/types.js";

/**
 * What a method does to sentences whose own new fact is right. Where one of them repeats an earlier error it is invalid as
 * a whole, and a penalty on it pushes the right fact down: the way in which step-wise shaping can do harm.
 */
export interface Blame {
  /** Share of such sentences that get a negative advantage; `null` where there are none. */
  readonly rightPunished: number | null;
  /** Mean token advantage of those among them that repeat an earlier error; `null` where there are none. */
  readonly inheritedAdvantage: number | null;
}

/** Sums over a run's training rollouts, one at a time, as a run may hold many. */
export class BlameSum {
  private right = 0;
  private punished = 0;
  private inherited = 0;
  private advantage = 0;

  add({ verdict, steps, offsets, tokenAdvantages }: Pick<StoredRollout, "verdict" | "steps" | "offsets" | "tokenAdvantages">): void {
    if (verdict.status !== "judged") return;
    verdict.steps.forEach((bits, k) => {
      if (bits.own !== true) return;
      const { start, end } = steps[k];
      const advantages = tokenAdvantages.filter((_advantage, t) => offsets[t].start >= start && offsets[t].end <= end);
      if (advantages.length === 0) return;
      const mean = advantages.reduce((sum, a) => sum + a, 0) / advantages.length;
      this.right++;
      if (mean < 0) this.punished++;
      if (bits.valid) return;
      this.inherited++;
      this.advantage += mean;
    });
  }

  get value(): Blame {
    return {
      rightPunished: this.right === 0 ? null : this.punished / this.right,
      inheritedAdvantage: this.inherited === 0 ? null : this.advantage / this.inherited,
    };
  }
}

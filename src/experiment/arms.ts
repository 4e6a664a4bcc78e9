import type { TrainConfigInput } from "../training/schema.js";

export type ArmGroup = "main" | "ablation" | "variant";

/** One method of the experiment: what its runs have in common apart from the seed. */
export interface Arm {
  /** In folder names and on the command line. */
  readonly key: string;
  readonly label: string;
  readonly group: ArmGroup;
  readonly method: "sft" | "grpo" | "gdpo" | "mrpo";
  readonly shaping?: TrainConfigInput["shaping"];
  /** What it is, for the results. */
  readonly about: string;
}

/** In the order of every table. */
export const arms: readonly Arm[] = [
  { key: "sft", label: "SFT", group: "main", method: "sft", about: "imitation of the gold chains and answers, as many chains a step as the others sample" },
  { key: "grpo", label: "GRPO", group: "main", method: "grpo", about: "answer, process and length rewards, one advantage for a whole completion" },
  { key: "gdpo", label: "GDPO", group: "main", method: "gdpo", about: "each reward normalised on its own" },
  { key: "mrpo", label: "MRPO", group: "main", method: "mrpo", about: "the paper's step-wise shaping of GRPO's advantages" },
  { key: "mrpo-linear", label: "MRPO, linear decay", group: "ablation", method: "mrpo", shaping: { decay: "linear" }, about: "the penalty falls linearly from e to 1" },
  { key: "mrpo-uniform", label: "MRPO, uniform decay", group: "ablation", method: "mrpo", shaping: { decay: "uniform" }, about: "the same penalty at every step" },
  { key: "mrpo-no-flip", label: "MRPO, no flip", group: "ablation", method: "mrpo", shaping: { flipValid: false }, about: "valid steps of a wrong completion keep A instead of +|A|" },
  { key: "mrpo-no-gate", label: "MRPO, no answer gate", group: "ablation", method: "mrpo", shaping: { answerGate: false }, about: "completions with a right answer are shaped too" },
  { key: "mrpo-own-fact", label: "MRPO, own fact", group: "variant", method: "mrpo", shaping: { variant: "own-fact" }, about: "a step counts as valid when the fact that it adds is true, whatever it inherits" },
  { key: "mrpo-origin-blame", label: "MRPO, origin blame", group: "variant", method: "mrpo", shaping: { variant: "origin-blame" }, about: "the step where an error begins pays; steps that only repeat it get no penalty" },
  { key: "mrpo-bounded", label: "MRPO, bounded", group: "variant", method: "mrpo", shaping: { variant: "bounded" }, about: "the penalty factor is at most 1.5" },
  { key: "mrpo-confidence", label: "MRPO, confidence-aware", group: "variant", method: "mrpo", shaping: { variant: "confidence-aware" }, about: "the penalty is scaled by the mean probability of the step's tokens" },
  { key: "mrpo-token-confidence", label: "MRPO, token confidence", group: "variant", method: "mrpo", shaping: { variant: "token-confidence" }, about: "the penalty is scaled by each token's probability" },
];

export interface PlannedRun {
  /** Name of the start policy. */
  readonly start: string;
  readonly arm: Arm;
  readonly seed: number;
}

export interface SeedCounts {
  readonly seeds: number;
  readonly ablationSeeds: number;
  readonly variantSeeds: number;
}

/** Runs in the order they are made: all methods of a seed before the next seed, so that partial results are balanced. */
export function planRuns(starts: readonly string[], chosen: readonly Arm[], counts: SeedCounts): PlannedRun[] {
  const seedsOf = { main: counts.seeds, ablation: counts.ablationSeeds, variant: counts.variantSeeds };
  const most = Math.max(...chosen.map(({ group }) => seedsOf[group]));
  return Array.from({ length: most }, (_, i) => i + 1).flatMap((seed) =>
    starts.flatMap((start) => chosen.filter(({ group }) => seed <= seedsOf[group]).map((arm) => ({ start, arm, seed }))),
  );
}

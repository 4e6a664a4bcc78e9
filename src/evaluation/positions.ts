import type { EvaluatedChain } from "./chain.js";

/** How the steps at one place of their chains fare. */
export interface StepPosition {
  /** 1-based; the last row stands for it and all behind it. */
  readonly position: number;
  readonly andLater: boolean;
  /** Judged steps there, and how many of them are invalid. */
  readonly steps: number;
  readonly invalid: number;
  /** Chains whose first invalid step is there. */
  readonly firstFailures: number;
}

/** Rows for positions 1 … `shown`, and one for all later steps where there are any. Only judged chains count. */
export function stepPositions(chains: readonly Pick<EvaluatedChain, "verdicts">[], shown = 10): StepPosition[] {
  const rows: { steps: number; invalid: number; firstFailures: number }[] = [];
  for (const { verdicts } of chains) {
    const first = verdicts?.findIndex(({ valid }) => !valid) ?? -1;
    verdicts?.forEach(({ valid }, k) => {
      const row = (rows[Math.min(k, shown)] ??= { steps: 0, invalid: 0, firstFailures: 0 });
      row.steps++;
      if (!valid) row.invalid++;
      if (k === first) row.firstFailures++;
    });
  }
  return rows.map((row, k) => ({ position: k + 1, andLater: k === shown, ...row }));
}

/** The place with the largest share of invalid steps among those that at least `least` chains reach. */
export function worstPosition(positions: readonly StepPosition[], least = 10): StepPosition | null {
  const counted = positions.filter(({ steps }) => steps >= Math.min(least, positions[0]?.steps ?? 0));
  return counted.reduce<StepPosition | null>((worst, row) => (worst === null || row.invalid / row.steps > worst.invalid / worst.steps ? row : worst), null);
}

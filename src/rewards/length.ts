export interface LengthRewardOptions {
  /** Fewest steps without a penalty, ≥ 1. */
  readonly kMin?: number;
  /** Most steps without a penalty, ≥ kMin. */
  readonly kMax?: number;
}

/** R_len ≤ 0 of a chain of K steps: 0 within [kMin, kMax], else minus the relative distance to the nearer border. */
export function lengthReward(K: number, { kMin = 4, kMax = 10 }: LengthRewardOptions = {}): number {
  if (!(kMin >= 1 && kMax >= kMin)) throw new RangeError(`kMin ${kMin} and kMax ${kMax}: needs 1 ≤ kMin ≤ kMax`);
  if (K < kMin) return -(kMin - K) / kMin;
  if (K > kMax) return -(K - kMax) / kMax;
  return 0;
}

/** Choosing a token from log-probabilities outside the graph: nucleus (Holtzman et al. 2020) and top-k. */

export interface Truncation {
  readonly topP: number;
  /** 0 keeps all. */
  readonly topK: number;
}

/**
 * The token that the uniform number u ∈ [0, 1) selects among the kept ones, most probable first (ties by id): at most
 * topK of them, and the fewest whose mass reaches topP (at least one). Truncation changes the draw, not the recorded
 * log-probability.
 */
export function chooseToken(logprobs: Float32Array, u: number, { topP, topK }: Truncation): number {
  const order = Array.from(logprobs.keys()).sort((a, b) => logprobs[b] - logprobs[a] || a - b);
  const most = topK > 0 ? Math.min(topK, order.length) : order.length;
  const masses: number[] = [];
  let total = 0;
  for (let i = 0; i < most; i++) {
    const mass = Math.exp(logprobs[order[i]]);
    masses.push(mass);
    total += mass;
    if (total >= topP) break;
  }
  let left = u * total;
  for (const [i, mass] of masses.entries()) {
    left -= mass;
    if (left < 0) return order[i];
  }
  return order[masses.length - 1];
}

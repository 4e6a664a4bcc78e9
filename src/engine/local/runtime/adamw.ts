import type { AdamWParams } from "../../engine.js";

/** First and second moments, laid out as the flat parameters, and how many steps were taken. */
export interface AdamWState {
  readonly first: Float32Array;
  readonly second: Float32Array;
  steps: number;
}

/** 2-norm, summed in double precision in a fixed order. */
export function norm2(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}

/**
 * One AdamW step in place (Loshchilov & Hutter 2019, as torch.optim.AdamW): decay first, then the bias-corrected
 * update of the gradient times `gradScale`.
 */
export function adamWStep(parameters: Float32Array, gradient: Float32Array, state: AdamWState, params: AdamWParams, gradScale: number): void {
  const { learningRate, beta1, beta2, eps, weightDecay } = params;
  const { first, second } = state;
  state.steps += 1;
  const correction1 = 1 - beta1 ** state.steps;
  const rootCorrection2 = Math.sqrt(1 - beta2 ** state.steps);
  const rate = learningRate / correction1;
  const keep = 1 - learningRate * weightDecay;
  for (let i = 0; i < parameters.length; i++) {
    const g = gradient[i] * gradScale;
    const m = beta1 * first[i] + (1 - beta1) * g;
    const v = beta2 * second[i] + (1 - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    parameters[i] = parameters[i] * keep - (rate * m) / (Math.sqrt(v) / rootCorrection2 + eps);
  }
}

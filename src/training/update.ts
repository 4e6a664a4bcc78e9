import type { Engine, LossSpec } from "../engine/engine.js";
import type { Datum } from "../types.js";
import { learningRateAt } from "./schedule.js";
import type { TrainConfig } from "./schema.js";

export interface UpdateResult {
  readonly loss: number;
  readonly learningRate: number;
  /** `null` where nothing was back-propagated, or the loss has no such term. */
  readonly gradNorm: number | null;
  readonly kl: number | null;
  readonly clipFraction: number | null;
  readonly entropy: number | null;
  /** Mean of log π_sampling − log π_now over the tokens with a weight, nats; `null` without sampled log-probabilities. */
  readonly policyShift: number | null;
  /** Prompt and completion tokens. */
  readonly tokens: number;
}

/** Adds log-probabilities under the frozen start policy, which the KL term compares with. */
export async function withReference(engine: Engine, data: readonly Datum[], config: TrainConfig): Promise<Datum[]> {
  if (config.loss.beta === 0 || data.length === 0) return [...data];
  const logprobs = await engine.forward(data, { weights: "reference", temperature: config.sampling.temperature });
  return data.map((datum, i) => ({ ...datum, referenceLogprobs: logprobs[i] }));
}

/**
 * One optimiser step over all data, in calls of `batch.microBatch` completions. Data without any gradient (an empty
 * list) leave weights and moments as they are. Throws where the loss or the gradient is not finite, before the update.
 */
export async function update(engine: Engine, data: readonly Datum[], config: TrainConfig, step: number, totalSteps: number): Promise<UpdateResult> {
  const { optimizer, loss, method } = config;
  const learningRate = learningRateAt(step, totalSteps, optimizer);
  if (data.length === 0) return { loss: 0, learningRate, gradNorm: null, kl: null, clipFraction: null, entropy: null, policyShift: null, tokens: 0 };
  const supervised = method === "sft";
  const spec: LossSpec = supervised
    ? { kind: "cross_entropy" }
    : { kind: "policy", epsLow: loss.epsLow, epsHigh: loss.epsHigh, klCoef: loss.beta, temperature: config.sampling.temperature };
  const size = config.batch.microBatch > 0 ? config.batch.microBatch : data.length;
  const shift = { sum: 0, tokens: 0 };
  const sums = { loss: 0, kl: 0, clipFraction: 0, entropy: 0, weight: 0, tokens: 0 };
  for (let at = 0; at < data.length; at += size) {
    const part = data.slice(at, at + size);
    const weight = part.reduce((sum, datum) => sum + datum.weights.reduce((a, b) => a + b, 0), 0);
    const result = await engine.forwardBackward(part, spec);
    sums.loss += result.loss;
    sums.kl += weight * result.kl;
    sums.clipFraction += weight * result.clipFraction;
    sums.entropy += weight * result.entropy;
    sums.weight += weight;
    sums.tokens += result.tokens;
    part.forEach(({ logprobs, weights }, i) => {
      logprobs?.forEach((logprob, t) => {
        if (weights[t] === 0) return;
        shift.sum += logprob - result.logprobs[i][t];
        shift.tokens++;
      });
    });
  }
  if (!Number.isFinite(sums.loss)) throw new Error(`step ${step}: the loss is ${sums.loss}; the weights are left as they were`);
  const { beta1, beta2, eps, weightDecay, maxGradNorm } = optimizer;
  const { gradNorm } = await engine.optimStep({ learningRate, beta1, beta2, eps, weightDecay, maxGradNorm });
  if (!Number.isFinite(gradNorm)) throw new Error(`step ${step}: the gradient's norm is ${gradNorm}; continue from the last checkpoint`);
  return {
    loss: sums.loss,
    learningRate,
    gradNorm,
    kl: supervised || loss.beta === 0 ? null : sums.kl / sums.weight,
    clipFraction: supervised ? null : sums.clipFraction / sums.weight,
    entropy: Number.isFinite(sums.entropy) ? sums.entropy / sums.weight : null,
    policyShift: shift.tokens > 0 ? shift.sum / shift.tokens : null,
    tokens: sums.tokens,
  };
}

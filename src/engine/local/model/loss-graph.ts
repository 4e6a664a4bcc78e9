import type { Graph, Tensor } from "../graph/graph.js";
import { trainFeeds } from "./feeds.js";
import type { TrainMode } from "./train-graph.js";

export interface LossTensors {
  /** Σ w·loss, scalar */
  readonly loss: Tensor;
  /** Σ w·k3, scalar */
  readonly kl: Tensor;
  /** Σ w over clipped tokens, scalar */
  readonly clipped: Tensor;
  /** dloss/dlogprob `[N]` */
  readonly logprobGrad: Tensor;
}

/**
 * Weighted sum over tokens of −log p (cross entropy), or of −min(ρA, clip(ρ)A) + β·k3 with ρ = exp(p − old) and
 * k3 = exp(r − p) − (r − p) − 1 (Schulman 2017 and 2020). The gradient is written out: the clipped
 * branch passes none. `surrogate` is the policy loss without a KL term.
 */
export function policyLoss(g: Graph, logprobs: Tensor, mode: Exclude<TrainMode, "logprobs">): LossTensors {
  const shape = logprobs.shape;
  const weights = g.input(trainFeeds.weights, shape);
  const op = (name: string, ...inputs: Tensor[]): Tensor => g.node(name, inputs, shape);
  const total = (x: Tensor): Tensor => g.node("ReduceSum", [x], [], { attributes: { keepdims: 0 } });
  const negative = op("Neg", weights);
  if (mode === "cross_entropy") {
    const none = g.node("Identity", [g.scalar(0)], []);
    return { loss: total(op("Mul", negative, logprobs)), kl: none, clipped: none, logprobGrad: negative };
  }
  const advantages = g.input(trainFeeds.advantages, shape);
  const old = g.input(trainFeeds.oldLogprobs, shape);
  const one = g.scalar(1);
  const low = g.node("Sub", [one, g.input(trainFeeds.epsLow, [])], []);
  const high = g.node("Add", [one, g.input(trainFeeds.epsHigh, [])], []);
  // At masked places the differences are nothing, so that no overflow there reaches the sums as 0·∞.
  const masked = g.node("Equal", [weights, g.scalar(0)], shape, { dtype: "bool" });
  const difference = (a: Tensor, b: Tensor): Tensor => op("Where", masked, g.scalar(0), op("Sub", a, b));

  const ratio = op("Exp", difference(logprobs, old));
  const plain = op("Mul", ratio, advantages);
  const bounded = op("Mul", op("Clip", ratio, low, high), advantages);
  const surrogate = op("Min", plain, bounded);
  const isClipped = g.node("Less", [bounded, plain], shape, { dtype: "bool" });
  const open = op("Where", isClipped, g.scalar(0), one);
  const clipped = total(op("Mul", weights, op("Sub", one, open)));
  // d(−surrogate)/dp = −ρA where not clipped
  const slope = op("Mul", plain, open);
  if (mode === "surrogate") {
    return { loss: total(op("Mul", negative, surrogate)), kl: g.node("Identity", [g.scalar(0)], []), clipped, logprobGrad: op("Mul", negative, slope) };
  }
  const beta = g.input(trainFeeds.klCoef, []);
  const gap = difference(g.input(trainFeeds.referenceLogprobs, shape), logprobs);
  const expGap = op("Exp", gap);
  const k3 = op("Sub", op("Sub", expGap, gap), one);
  const loss = total(op("Mul", weights, op("Sub", op("Mul", beta, k3), surrogate)));
  // dk3/dp = 1 − exp(r − p)
  const klGrad = op("Mul", beta, op("Sub", one, expGap));
  return { loss, kl: total(op("Mul", weights, k3)), clipped, logprobGrad: op("Mul", weights, op("Sub", klGrad, slope)) };
}

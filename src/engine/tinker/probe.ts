/** What a server makes of a batch's losses, measured: the documentation of servers and their code have differed. */
import { UserError } from "../../util/errors.js";
import type { Passes, Row } from "./passes.js";
import type { Reduction, ServerLoss } from "./losses.js";
import type { Model } from "./session.js";

const still = { learning_rate: 0, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0, grad_clip_norm: 0 };
const completion = [1, 0, 1];

/**
 * Gradient norms of one datum, of the same with weights of 2, and of two such data. Uses up the model's optimiser state
 * (by steps of size 0): give it one that is thrown away. `sum` where the server does not tell the norm.
 */
export async function measureReduction(passes: Passes, model: Model): Promise<Reduction> {
  const row: Row = { prompt: { tokens: [0, 1], images: [] }, completion };
  const loss = (weight: number, count: number): ServerLoss => {
    const mask = completion.map(() => weight);
    return { name: "cross_entropy", terms: new Array(count).fill({ mask, advantages: mask, sampled: mask.map(() => 0) }) as ServerLoss["terms"] };
  };
  const norm = async (weight: number, count: number): Promise<number | undefined> => {
    const backward = await passes.backward(model, new Array<Row>(count).fill(row), loss(weight, count));
    await backward.beforeStep();
    const step = await passes.optimStep(model, still);
    await backward.result();
    return gradNormOf((await step.result()).metrics);
  };
  const one = await norm(1, 1);
  if (one === undefined || !(one > 0)) return "sum";
  const [heavier, two] = [(await norm(2, 1)) ?? 0, (await norm(1, 2)) ?? 0];
  const about = (value: number, factor: number): boolean => Math.abs(value / one - factor) < 0.02 * factor;
  if (about(heavier, 2) && about(two, 2)) return "sum";
  if (about(heavier, 1) && about(two, 1)) return "mean";
  throw new UserError(
    `what the server makes of a batch's losses is neither a sum nor a mean: gradient norms ${one} for one datum, ${heavier} with twice its weights, ${two} for two; set engine.tinker.reduction`,
  );
}

/** The norm of the whole gradient before clipping, where the server tells it. */
export function gradNormOf(metrics: Readonly<Record<string, number>>): number | undefined {
  const named = Object.keys(metrics).find((name) => /(^|[/.])grad_norm($|:)/.test(name));
  return named === undefined ? undefined : metrics[named];
}

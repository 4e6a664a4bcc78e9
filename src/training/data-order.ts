import { RandomStream, seedFrom } from "../util/random.js";

/** Steps of one pass over `examples` data; the last batch of a pass may be smaller. */
export function stepsPerEpoch(examples: number, prompts: number): number {
  return Math.ceil(examples / prompts);
}

/** Updates of the whole run: `steps` where it is not 0, else the passes over the data. */
export function totalSteps(config: { steps: number; epochs: number; batch: { prompts: number } }, examples: number): number {
  return config.steps > 0 ? config.steps : Math.max(1, Math.ceil(config.epochs * stepsPerEpoch(examples, config.batch.prompts)));
}

/**
 * The batch of a 1-based step: a slice of the epoch's permutation, a function of (seed, step) alone, so that a resumed
 * run needs no state of the data. No example comes twice in a batch.
 */
export function batchOf<T>(examples: readonly T[], prompts: number, seed: number, step: number): { epoch: number; batch: T[] } {
  const perEpoch = stepsPerEpoch(examples.length, prompts);
  const epoch = Math.floor((step - 1) / perEpoch);
  const start = ((step - 1) % perEpoch) * prompts;
  const order = new RandomStream(seedFrom(seed, "order", epoch)).shuffle(examples);
  return { epoch, batch: order.slice(start, start + prompts) };
}

/** Seed of completion `index` of an example in a step. */
export function completionSeed(seed: number, step: number, exampleId: string, index: number): number {
  return seedFrom(seed, "sample", step, exampleId, index);
}

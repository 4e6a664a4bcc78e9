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
  return { epoch, batch: orderOf(examples, seed, epoch).slice(start, start + prompts) };
}

/** The examples that steps `after + 1` … `last` come to; some twice where these belong to several epochs. */
export function examplesBetween<T>(examples: readonly T[], prompts: number, seed: number, after: number, last: number): T[] {
  const perEpoch = stepsPerEpoch(examples.length, prompts);
  // Whatever the order, so many steps hold a whole epoch.
  if (last - after >= 2 * perEpoch - 1) return [...examples];
  const found: T[] = [];
  for (let epoch = Math.floor(after / perEpoch); epoch * perEpoch < last; epoch++) {
    const [from, to] = [after, last].map((step) => Math.min(Math.max(step - epoch * perEpoch, 0), perEpoch));
    found.push(...orderOf(examples, seed, epoch).slice(from * prompts, to * prompts));
  }
  return found;
}

function orderOf<T>(examples: readonly T[], seed: number, epoch: number): T[] {
  return new RandomStream(seedFrom(seed, "order", epoch)).shuffle(examples);
}

/** Seed of completion `index` of an example in a step. */
export function completionSeed(seed: number, step: number, exampleId: string, index: number): number {
  return seedFrom(seed, "sample", step, exampleId, index);
}

/** Decoding with a cache against the whole forward pass, and drawn frequencies against probabilities. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTinyModel } from "../../../../test/support/tiny-model.js";
import { openModel } from "../folders.js";
import { LocalModel } from "./model.js";
import { Sampler } from "./sampler.js";
import type { SampledSequence, SampleRequest } from "../../engine.js";

const tiny = createTinyModel();
const opened = openModel({ model: tiny.folder });
const model = new LocalModel(opened.config, { threads: 1, provider: "cpu", lora: null, maxRows: 8 });
beforeAll(() => model.trainable.flat.set(opened.trainable));
afterAll(async () => {
  await model.close();
  tiny.remove();
});

const sampler = (slots: number, endTokens: readonly number[] = []): Sampler =>
  new Sampler(model, { slots, endTokens: new Set(endTokens), decode: (tokens) => tiny.tokenizer.decode(tokens) });

/** Largest difference between recorded log-probabilities and the whole forward pass. */
async function error(requests: readonly SampleRequest[], result: readonly (readonly SampledSequence[])[]): Promise<number> {
  const data = requests.flatMap(({ prompt }, p) => result[p].map((s) => ({ prompt, completion: s.tokens })));
  const into: number[][] = [];
  await model.logprobs(data, model.batches(data), into, { useReference: false, temperature: 1 });
  return Math.max(...result.flat().flatMap((s, i) => s.logprobs.map((p, t) => Math.abs(p - into[i][t]))));
}

const group = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => from + i);
/** Text, and images of different grids, one of several prompts twice: requests are independent of each other. */
const requests: SampleRequest[] = [...tiny.prompts, tiny.prompts[1]].map((prompt, p) => ({ prompt, seeds: group(3, 10 * p) }));

describe("decoding with a cache", () => {
  it("gives the log-probabilities of the whole forward pass for text and images of several grids in one batch", async () => {
    const result = await sampler(64).sample(requests, { maxTokens: 10, temperature: 1 });
    expect(await error(requests, result)).toBeLessThan(1e-4);
  });

  it("grows its cache beyond the first places", async () => {
    const few = requests.slice(0, 3).map((r) => ({ ...r, seeds: r.seeds.slice(0, 1) }));
    const result = await sampler(64).sample(few, { maxTokens: 110, temperature: 1 });
    expect(result.flat().every((s) => s.tokens.length === 110)).toBe(true);
    expect(await error(few, result)).toBeLessThan(2e-4);
  });

  it("gives freed places to waiting rows and moves rows together, without changing what any row draws", async () => {
    const roomy = await sampler(64).sample(requests, { maxTokens: 14, temperature: 1 });
    // Tokens that some rows drew in mid-sequence end them at different times.
    const ends = [roomy[0][0].tokens[2], roomy[1][1].tokens[5], roomy[2][2].tokens[8], roomy[3][0].tokens[4]];
    const expected = roomy.map((g) =>
      g.map(({ tokens }) => {
        const end = tokens.findIndex((t) => ends.includes(t));
        return end < 0 ? { tokens, stopReason: "length" } : { tokens: tokens.slice(0, end + 1), stopReason: "stop" };
      }),
    );
    expect(new Set(expected.flat().map((s) => s.tokens.length)).size).toBeGreaterThan(2);
    for (const slots of [3, 9, 64]) {
      const result = await sampler(slots, ends).sample(requests, { maxTokens: 14, temperature: 1 });
      expect(result.map((g) => g.map(({ tokens, stopReason }) => ({ tokens, stopReason })))).toEqual(expected);
      expect(await error(requests, result)).toBeLessThan(1e-4);
    }
  });

  it("splits a request that has more completions than there are slots, beside requests of other sizes", async () => {
    const uneven = requests.map((request, p) => ({ ...request, seeds: group([1, 7, 2, 4, 3][p % 5], 10 * p) }));
    const expected = await sampler(64).sample(uneven, { maxTokens: 9, temperature: 1 });
    for (const slots of [1, 4, 5]) {
      const result = await sampler(slots).sample(uneven, { maxTokens: 9, temperature: 1 });
      expect(result.map((g) => g.map(({ tokens }) => tokens))).toEqual(expected.map((g) => g.map(({ tokens }) => tokens)));
      expect(await error(uneven, result)).toBeLessThan(1e-4);
    }
  });

  it("takes weights that are set between two rollouts, kept in its graph or fed", async () => {
    for (const mostInGraph of [0, 1e9]) {
      const own = new LocalModel(opened.config, { threads: 1, provider: "cpu", lora: null, maxRows: 8, mostInGraph });
      for (const scale of [1, 1.5]) {
        await own.setWeights(opened.trainable.map((w) => scale * w));
        const [drawn] = await new Sampler(own, { slots: 4, endTokens: new Set(), decode: () => "" }).sample(requests.slice(0, 1), { maxTokens: 6, temperature: 1 });
        const data = drawn.map(({ tokens }) => ({ prompt: requests[0].prompt, completion: tokens }));
        const into: number[][] = [];
        await own.logprobs(data, own.batches(data), into, { useReference: false, temperature: 1 });
        for (const [i, { logprobs }] of drawn.entries()) for (const [t, p] of logprobs.entries()) expect(p).toBeCloseTo(into[i][t], 4);
      }
      await own.close();
    }
  });

  it("gives in a sampler that was used before, with any weights, what a new one gives, to the bit", async () => {
    const used = sampler(64);
    const options = { maxTokens: 20, temperature: 1 };
    for (const [weights, maxTokens] of [[opened.trainable.map(() => NaN), 40], [opened.trainable, 5]] as const) {
      await model.setWeights(weights);
      await used.sample(requests, { ...options, maxTokens });
    }
    expect(await used.sample(requests, options)).toEqual(await sampler(64).sample(requests, options));
    expect(await used.sample(requests.slice(1), options)).toEqual(await sampler(64).sample(requests.slice(1), options));
  });

  it("samples from a prompt of one token", async () => {
    const one = [{ prompt: { tokens: [65], images: [] }, seeds: group(4) }];
    expect(await error(one, await sampler(4).sample(one, { maxTokens: 5, temperature: 1 }))).toBeLessThan(1e-4);
  });
});

/** Pearson's statistic of counts against probabilities; cells expected below 5 are put together. */
function chiSquare(counts: ReadonlyMap<number, number>, probabilities: readonly number[], draws: number): { statistic: number; degrees: number } {
  let [statistic, cells, restSeen, restExpected] = [0, 0, 0, 0];
  for (const [token, p] of probabilities.entries()) {
    const seen = counts.get(token) ?? 0;
    const expected = p * draws;
    if (expected < 5) {
      restSeen += seen;
      restExpected += expected;
      continue;
    }
    statistic += (seen - expected) ** 2 / expected;
    cells++;
  }
  if (restExpected >= 5) {
    statistic += (restSeen - restExpected) ** 2 / restExpected;
    cells++;
  } else if (restExpected === 0) expect(restSeen).toBe(0);
  return { statistic, degrees: cells - 1 };
}

describe("drawn tokens", () => {
  const draws = 4096;

  async function probabilitiesAt(temperature: number): Promise<number[]> {
    const data = group(tiny.vocabulary).map((t) => ({ prompt: tiny.prompts[1], completion: [t] }));
    const into: number[][] = [];
    await model.logprobs(data, model.batches(data), into, { useReference: false, temperature });
    return into.map(([p]) => Math.exp(p));
  }

  async function counts(options: { temperature: number; topP?: number; topK?: number }): Promise<Map<number, number>> {
    const [drawn] = await sampler(256).sample([{ prompt: tiny.prompts[1], seeds: group(draws, 1000) }], { maxTokens: 1, ...options });
    const seen = new Map<number, number>();
    for (const { tokens } of drawn) seen.set(tokens[0], (seen.get(tokens[0]) ?? 0) + 1);
    return seen;
  }

  it.each([0.6, 1, 1.5])("have the frequencies of their probabilities at temperature %d", async (temperature) => {
    const { statistic, degrees } = chiSquare(await counts({ temperature }), await probabilitiesAt(temperature), draws);
    expect(degrees).toBeGreaterThan(5);
    // Mean and spread of the statistic are the degrees and the root of twice them.
    expect(statistic).toBeLessThan(degrees + 4 * Math.sqrt(2 * degrees));
  });

  it.each([{ topP: 0.7 }, { topK: 6 }, { topP: 0.5, topK: 12 }])("have the renormalised frequencies of what %o keeps", async (truncation) => {
    const all = await probabilitiesAt(1);
    const order = Array.from(all.keys()).sort((a, b) => all[b] - all[a]);
    let mass = 0;
    const kept = new Set<number>();
    for (const token of order.slice(0, truncation.topK ?? order.length)) {
      kept.add(token);
      mass += all[token];
      if (mass >= (truncation.topP ?? 1)) break;
    }
    const expected = all.map((p, t) => (kept.has(t) ? p / mass : 0));
    const seen = await counts({ temperature: 1, ...truncation });
    for (const token of seen.keys()) expect(kept.has(token)).toBe(true);
    const { statistic, degrees } = chiSquare(seen, expected, draws);
    expect(degrees).toBeGreaterThan(1);
    expect(statistic).toBeLessThan(degrees + 4 * Math.sqrt(2 * degrees));
  });
});

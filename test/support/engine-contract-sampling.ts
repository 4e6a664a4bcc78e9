import { afterAll, beforeAll, expect, it } from "vitest";
import type { Engine, SampledSequence, SampleRequest, SamplingParams } from "../../src/engine/engine.js";
import { maxDifference, type Contract } from "./engine-contract-common.js";

const params: SamplingParams = { maxTokens: 12, temperature: 1 };
const tokensOf = (result: readonly (readonly SampledSequence[])[]): (readonly number[])[][] => result.map((group) => group.map((s) => s.tokens));

export function samplingContract({ make, helpers }: Contract): void {
  const { prompts } = helpers;
  let engine: Engine;
  beforeAll(async () => {
    engine = await make();
  });
  afterAll(() => engine.close());
  const requests = (seeds: readonly number[] = [1, 2, 3]): SampleRequest[] => prompts.map((prompt, p) => ({ prompt, seeds: seeds.map((s) => s + 100 * p) }));
  const forwardOf = (asked: readonly SampleRequest[], result: readonly (readonly SampledSequence[])[], temperature: number): Promise<number[][]> =>
    engine.forward(asked.flatMap(({ prompt }, p) => result[p].map((s) => ({ prompt, completion: s.tokens }))), { temperature });

  it("gives a sequence for every seed, in order, with a log-probability for every token", async () => {
    const asked = [{ prompt: prompts[0], seeds: [1] }, { prompt: prompts[1], seeds: [] }, { prompt: prompts[2], seeds: [2, 3, 4] }];
    const result = await engine.sample(asked, params);
    expect(result.map((g) => g.length)).toEqual([1, 0, 3]);
    for (const s of result.flat()) {
      expect(s.tokens.length).toBeGreaterThan(0);
      expect(s.tokens.length).toBeLessThanOrEqual(params.maxTokens);
      expect(s.logprobs).toHaveLength(s.tokens.length);
      expect(s.logprobs.every((p) => p <= 0 && Number.isFinite(p))).toBe(true);
      if (s.stopReason === "length") expect(s.tokens).toHaveLength(params.maxTokens);
    }
  });

  it("answers nothing with nothing", async () => {
    expect(await engine.sample([], params)).toEqual([]);
    expect(await engine.forward([])).toEqual([]);
  });

  it("leaves requests without seeds empty, however many come first", async () => {
    const asked = [...Array.from({ length: 11 }, () => ({ prompt: prompts[0], seeds: [] })), { prompt: prompts[1], seeds: [5] }];
    expect((await engine.sample(asked, params)).map((g) => g.length)).toEqual([...new Array<number>(11).fill(0), 1]);
  });

  it("repeats itself with the same seeds and differs with others", async () => {
    const first = tokensOf(await engine.sample(requests(), params));
    expect(tokensOf(await engine.sample(requests(), params))).toEqual(first);
    expect(tokensOf(await engine.sample(requests([7, 8, 9]), params))).not.toEqual(first);
    expect(first[0][0]).not.toEqual(first[0][1]);
  });

  it("draws a completion from its own seed, whatever its neighbours are", async () => {
    const together = await engine.sample(requests(), params);
    for (const p of prompts.keys()) {
      const alone = await engine.sample([{ prompt: prompts[p], seeds: [2 + 100 * p] }], params);
      expect(alone[0][0].tokens).toEqual(together[p][1].tokens);
      expect(maxDifference([alone[0][0].logprobs], [together[p][1].logprobs])).toBeLessThan(1e-4);
    }
  });

  it.each([0.5, 1, 1.7])("records the log-probabilities that forward gives, at temperature %d", async (temperature) => {
    const result = await engine.sample(requests(), { ...params, temperature });
    const again = await forwardOf(requests(), result, temperature);
    expect(maxDifference(result.flat().map((s) => s.logprobs), again)).toBeLessThan(1e-4);
  });

  it("records untruncated log-probabilities with top-k and top-p", async () => {
    const result = await engine.sample(requests(), { ...params, topK: 5, topP: 0.8 });
    expect(maxDifference(result.flat().map((s) => s.logprobs), await forwardOf(requests(), result, 1))).toBeLessThan(1e-4);
  });

  it("takes the most probable token when greedy, and records log-probabilities at temperature 1", async () => {
    const asked = requests([1, 2]);
    const result = await engine.sample(asked, { ...params, temperature: 0 });
    expect(result.map((g) => g[0].tokens)).toEqual(result.map((g) => g[1].tokens));
    expect(tokensOf(await engine.sample(asked, { ...params, temperature: 0 }))).toEqual(tokensOf(result));
    expect(maxDifference(result.flat().map((s) => s.logprobs), await forwardOf(asked, result, 1))).toBeLessThan(1e-4);
    // No other first token is more probable.
    const { prompt } = asked[1];
    const others = Array.from({ length: helpers.textTokens }, (_, t) => ({ prompt, completion: [t] }));
    const best = Math.max(...(await engine.forward(others)).map(([p]) => p));
    expect(result[1][0].logprobs[0]).toBeGreaterThan(best - 1e-5);
  });

  it("is greedy with top-k 1 and with a tiny nucleus", async () => {
    const greedy = tokensOf(await engine.sample(requests(), { ...params, temperature: 0 }));
    expect(tokensOf(await engine.sample(requests(), { ...params, topK: 1 }))).toEqual(greedy);
    expect(tokensOf(await engine.sample(requests(), { ...params, topP: 1e-6 }))).toEqual(greedy);
  });

  it("stays within the top k", async () => {
    const [prompt] = prompts;
    const all = await engine.forward(Array.from({ length: helpers.textTokens }, (_, t) => ({ prompt, completion: [t] })));
    const ranked = Array.from(all.keys()).sort((a, b) => all[b][0] - all[a][0]);
    const drawn = await engine.sample([{ prompt, seeds: Array.from({ length: 64 }, (_, i) => i) }], { maxTokens: 1, temperature: 2, topK: 3 });
    const seen = new Set(drawn[0].map((s) => s.tokens[0]));
    expect(seen.size).toBeGreaterThan(1);
    for (const token of seen) expect(ranked.slice(0, 3)).toContain(token);
  });

  it("stops after the token that completes a stop string, and says so", async () => {
    const free = await engine.sample([{ prompt: prompts[0], seeds: [11] }], { ...params, maxTokens: 20 });
    const text = helpers.decode(free[0][0].tokens);
    const stop = [...text].slice(3, 5).join("");
    const at = free[0][0].tokens.findIndex((_, i) => helpers.decode(free[0][0].tokens.slice(0, i + 1)).includes(stop));
    const [[cut]] = await engine.sample([{ prompt: prompts[0], seeds: [11] }], { ...params, maxTokens: 20, stop: ["never to be seen", stop] });
    expect(cut.tokens).toEqual(free[0][0].tokens.slice(0, at + 1));
    expect(cut.stopReason).toBe("stop");
    const [[whole]] = await engine.sample([{ prompt: prompts[0], seeds: [11] }], { ...params, maxTokens: 20, stop: ["never to be seen"] });
    expect(whole).toEqual(free[0][0]);
  });

  it("rejects with the signal's reason when aborted, before and while it samples, and works afterwards", async () => {
    const reason = new Error("enough");
    await expect(engine.sample(requests(), params, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const running = engine.sample(requests(), { maxTokens: 64, temperature: 1 }, controller.signal);
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(await engine.sample(requests(), params)).toHaveLength(prompts.length);
  });

  it("gives the same log-probabilities however data are batched, for current and reference weights", async () => {
    const data = prompts.map((prompt, p) => ({ prompt, completion: Array.from({ length: 4 + 3 * p }, (_, t) => (t * 7 + p) % helpers.textTokens) }));
    const together = await engine.forward(data);
    const alone: number[][] = [];
    for (const datum of data) alone.push((await engine.forward([datum]))[0]);
    expect(together.map((r) => r.length)).toEqual(data.map((d) => d.completion.length));
    expect(maxDifference(together, alone)).toBeLessThan(1e-5);
    if (engine.capabilities.reference) expect(maxDifference(await engine.forward(data, { weights: "reference" }), together)).toBeLessThan(1e-6);
  });

  it("refuses an empty prompt, a sequence that is too long and a token that the model does not have", async () => {
    const [prompt] = prompts;
    const { maxSequenceTokens, vocabularySize } = engine.capabilities;
    await expect(engine.sample([{ prompt: { tokens: [], images: [] }, seeds: [1] }], params)).rejects.toThrow(/empty prompt/);
    await expect(engine.sample([{ prompt, seeds: [1] }], { ...params, maxTokens: maxSequenceTokens })).rejects.toThrow(new RegExp(`${maxSequenceTokens}`));
    await expect(engine.sample([{ prompt: { tokens: [vocabularySize], images: [] }, seeds: [1] }], params)).rejects.toThrow(new RegExp(`${vocabularySize}`));
    await expect(engine.forward([{ prompt: { tokens: [], images: [] }, completion: [1] }])).rejects.toThrow(/empty prompt/);
    await expect(engine.forward([{ prompt, completion: new Array<number>(maxSequenceTokens).fill(1) }])).rejects.toThrow(new RegExp(`${maxSequenceTokens}`));
    for (const bad of [-1, vocabularySize]) await expect(engine.forward([{ prompt, completion: [bad] }])).rejects.toThrow(new RegExp(`${bad}`));
  });
}

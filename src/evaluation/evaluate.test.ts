import { describe, expect, it } from "vitest";
import { tabularConfig, tabularParts } from "../../test/support/tabular-task.js";
import { evaluate, type EvaluateOptions } from "./evaluate.js";

const parts = tabularParts(tabularConfig("unused"));
const options: EvaluateOptions = { temperature: 1, maxTokens: 12, stop: ["</answer>"], kMin: 4, kMax: 6, seed: 3 };

describe("evaluate", () => {
  it("gives a chain a question and sample, in the questions' order, whatever the batch", async () => {
    const done: number[] = [];
    const [one, many] = await Promise.all([
      evaluate(parts, parts.examples, { ...options, samplesPerQuestion: 2, batch: 3, onProgress: (n) => done.push(n) }),
      evaluate(parts, parts.examples, { ...options, samplesPerQuestion: 2, batch: 64 }),
    ]);
    expect(one.chains).toEqual(many.chains);
    expect(one.chains.map(({ exampleId, sample }) => `${exampleId}.${sample}`)).toEqual(parts.examples.flatMap(({ id }) => [`${id}.0`, `${id}.1`]));
    expect(done).toEqual([3, 6, 9, 12, 15, 18, 20]);
    expect(one.speed.tokens).toBe(one.chains.reduce((sum, { tokens }) => sum + tokens, 0));
  });

  it("judges and scores: a chain's verdicts and rewards are those of its text", async () => {
    const { chains } = await evaluate(parts, parts.examples, options);
    for (const chain of chains) {
      expect(chain.steps).toHaveLength(4);
      const valid = chain.steps.map(({ start, end }) => chain.goldReasoning?.includes(chain.text.slice(start, end)) === true);
      expect(chain.verdicts?.map((verdict) => verdict.valid)).toEqual(valid);
      expect(chain.rewards.process).toBeCloseTo(valid.filter(Boolean).length / 4, 12);
      expect(chain.correct).toBe(chain.answer === chain.goldAnswer);
      expect(chain.rewards.answer).toBe(chain.correct ? 1 : 0);
    }
    expect(new Set(chains.map(({ correct }) => correct))).toEqual(new Set([true, false]));
  });

  it("another seed gives other chains; greedy ones do not depend on it", async () => {
    const texts = async (more: Partial<EvaluateOptions>) => (await evaluate(parts, parts.examples, { ...options, ...more })).chains.map(({ text }) => text);
    expect(await texts({ seed: 4 })).not.toEqual(await texts({ seed: 3 }));
    expect(await texts({ temperature: 0, seed: 4 })).toEqual(await texts({ temperature: 0, seed: 3 }));
  });

  it("without a judge the verdicts are absent, not wrong", async () => {
    const { chains } = await evaluate({ ...parts, judge: null }, parts.examples.slice(0, 2), options);
    for (const chain of chains) expect(chain).toMatchObject({ verdicts: null, rewards: { process: null }, unscored: expect.arrayContaining(["no judge"]) as string[] });
  });

  it("leaves out and names questions that do not fit", async () => {
    const short = tabularParts(tabularConfig("unused"), { maxSequenceTokens: 5 });
    const { chains, tooLong } = await evaluate(short, short.examples, options);
    expect([chains, tooLong]).toEqual([[], short.examples.map(({ id }) => id)]);
  });

  it("ends when aborted", async () => {
    const signal = AbortSignal.abort(new Error("stopped"));
    await expect(evaluate(parts, parts.examples, { ...options, signal })).rejects.toThrow("stopped");
  });
});

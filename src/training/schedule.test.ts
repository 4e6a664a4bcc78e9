import { describe, expect, it } from "vitest";
import { batchOf, completionSeed, examplesBetween, totalSteps } from "./data-order.js";
import { learningRateAt } from "./schedule.js";
import { duration, makeDisplay } from "./display.js";
import { ImageCache } from "./image-cache.js";
import type { PreparedImage } from "../types.js";

describe("learningRateAt", () => {
  const rates = (schedule: "constant" | "linear" | "cosine", warmupSteps: number) =>
    Array.from({ length: 6 }, (_, i) => learningRateAt(i + 1, 6, { learningRate: 6, schedule, warmupSteps }));

  it("warms up to the peak at step warmupSteps, then falls and never reaches 0 within the run", () => {
    expect(rates("constant", 3)).toEqual([2, 4, 6, 6, 6, 6]);
    rates("linear", 0).forEach((rate, i) => expect(rate).toBeCloseTo(6 - i, 12));
    expect(rates("linear", 3)).toEqual([2, 4, 6, 4.5, 3, 1.5]);
    const cosine = rates("cosine", 0);
    expect(cosine[0]).toBe(6);
    expect(cosine[3]).toBeCloseTo(3, 12);
    expect(cosine[5]).toBeCloseTo(3 * (1 + Math.cos((5 * Math.PI) / 6)), 12);
  });

  it("a run of one step learns with the full rate", () => {
    expect(learningRateAt(1, 1, { learningRate: 2, schedule: "cosine", warmupSteps: 0 })).toBe(2);
  });
});

describe("batchOf", () => {
  const examples = Array.from({ length: 10 }, (_, i) => i);

  it("sees every example once an epoch, in another order each, the last batch smaller", () => {
    const epoch = (first: number) => [first, first + 1, first + 2].flatMap((step) => batchOf(examples, 4, 7, step).batch);
    expect([...epoch(1)].sort((a, b) => a - b)).toEqual(examples);
    expect([...epoch(4)].sort((a, b) => a - b)).toEqual(examples);
    expect(epoch(1)).not.toEqual(epoch(4));
    expect(batchOf(examples, 4, 7, 3)).toMatchObject({ epoch: 0, batch: { length: 2 } });
    expect(batchOf(examples, 4, 7, 4).epoch).toBe(1);
  });

  it("depends on (seed, step) alone", () => {
    expect(batchOf(examples, 4, 7, 5)).toEqual(batchOf(examples, 4, 7, 5));
    expect(batchOf(examples, 10, 7, 1).batch).not.toEqual(batchOf(examples, 10, 8, 1).batch);
    expect(new Set([0, 1, 2, 3].map((g) => completionSeed(7, 5, "a", g))).size).toBe(4);
  });

  it("counts the steps of the run", () => {
    expect(totalSteps({ steps: 0, epochs: 2, batch: { prompts: 4 } }, 10)).toBe(6);
    expect(totalSteps({ steps: 0, epochs: 0.5, batch: { prompts: 4 } }, 10)).toBe(2);
    expect(totalSteps({ steps: 9, epochs: 1, batch: { prompts: 4 } }, 10)).toBe(9);
  });
});

describe("display", () => {
  const metrics = {
    ...{ step: 3, epoch: 0, loss: 0.25, kl: 0.01, gradNorm: 1, learningRate: 1, clipFraction: 0, entropy: 1 },
    ...{ rewardMean: 1.5, rewardAnswer: 0.6, rewardProcess: 0.9, rewardLength: null, accuracy: 0.5, stepValidity: 0.75 },
    ...{ failingShare: 0.5, earlyShare: null, midShare: null, lateShare: null, far: null, stepsPerChain: 5, prompts: 1, rollouts: 1 },
    ...{ completionTokens: 1, truncatedShare: 0, unscored: 2, zeroGroups: 0, skippedPrompts: 0, staleness: 0, policyShift: 0 },
  };
  const timings = { step: 3, sample: 1, judge: 0, score: 0, reference: 0, train: 1, store: 0, total: 2, tokensPerSecond: 1234.4, sampledTokensPerSecond: 1 };

  it("writes one plain line a step where it is no terminal, without values that do not exist", () => {
    let text = "";
    const display = makeDisplay({ write: (part) => (text += part) });
    display.phase("sampling");
    display.step(metrics, timings, 10);
    expect(text).toBe(
      "step 3/10  loss 0.2500  reward 1.500 (0.60 + 0.90 + –)  accuracy 50.0%  valid steps 75.0%  kl 0.0100  unscored 2  1234 tok/s  2.0 s  0:14 left\n",
    );
  });

  it("redraws its own lines on a terminal, none wider than it", () => {
    let text = "";
    const display = makeDisplay({ write: (part) => (text += part), isTTY: true, columns: 50 });
    display.step(metrics, timings, 10);
    const drawn = text.split("\n").slice(0, -1);
    text = "";
    display.phase("sampling");
    expect(text.startsWith("\u001b[1A\u001b[2K".repeat(drawn.length))).toBe(true);
     
    for (const line of drawn) expect(line.replace(/\u001b\[[0-9;]*m/g, "").length).toBeLessThan(50);
    expect(drawn[0]).toContain("3/10");
  });

  it("shows durations", () => {
    expect([4, 75, 3675].map(duration)).toEqual(["0:04", "1:15", "1:01:15"]);
  });
});

describe("ImageCache", () => {
  const image = (source: string): PreparedImage => ({ source, grid: { t: 1, h: 2, w: 2 }, patches: new Float32Array(4), tokenCount: 1 });

  it("prepares an image once while there is room and forgets the least recently used", async () => {
    const made: string[] = [];
    const cache = new ImageCache((path) => {
      made.push(path);
      return Promise.resolve(image(path));
    }, 40);
    for (const path of ["a", "b", "a", "c", "a", "b"]) expect((await cache.get(path)).source).toBe(path);
    expect(made).toEqual(["a", "b", "c", "b"]);
    // Asked for at once, it is prepared once.
    await Promise.all([cache.get("d"), cache.get("d")]);
    expect(made.slice(4)).toEqual(["d"]);
  });

  it("does not remember a failure", async () => {
    let calls = 0;
    const cache = new ImageCache((path) => (++calls === 1 ? Promise.reject(new Error("gone")) : Promise.resolve(image(path))));
    await expect(cache.get("a")).rejects.toThrow("gone");
    expect((await cache.get("a")).source).toBe("a");
  });
});

describe("examplesBetween", () => {
  it("gives what the batches of those steps hold", () => {
    const examples = Array.from({ length: 23 }, (_, i) => i);
    for (const [after, last] of [[0, 1], [0, 6], [3, 9], [5, 7], [6, 12], [0, 40], [4, 4]]) {
      const stepped = Array.from({ length: last - after }, (_, i) => batchOf(examples, 4, 9, after + i + 1).batch).flat();
      expect(new Set(examplesBetween(examples, 4, 9, after, last)), `${after}-${last}`).toEqual(new Set(stepped));
    }
  });
});

import { describe, expect, it } from "vitest";
import { RandomStream } from "../util/random.js";
import { bootstrapDifferences, bootstrapRatios } from "./bootstrap.js";

const ones = (n: number) => new Array<number>(n).fill(1);

describe("bootstrapRatios", () => {
  it("divides sums, not means of ratios", () => {
    const [estimate] = bootstrapRatios([{ numerator: [1, 0, 3], denominator: [2, 1, 5] }]);
    expect(estimate.value).toBe(0.5);
    expect(estimate.n).toBe(8);
    expect(estimate.low).toBeLessThan(0.5);
    expect(estimate.high).toBeGreaterThan(0.5);
  });

  it("has the width of the normal approximation for a share", () => {
    const n = 400;
    const numerator = Array.from({ length: n }, (_, q) => (q < 120 ? 1 : 0));
    const [{ value, low, high }] = bootstrapRatios([{ numerator, denominator: ones(n) }], { resamples: 4000 });
    const half = 1.959964 * Math.sqrt((0.3 * 0.7) / n);
    expect(value).toBe(0.3);
    expect(Math.abs((low ?? 0) - (0.3 - half))).toBeLessThan(0.005);
    expect(Math.abs((high ?? 0) - (0.3 + half))).toBeLessThan(0.005);
  });

  it("covers the truth about as often as it says", () => {
    const random = new RandomStream(11);
    let covered = 0;
    const trials = 300;
    for (let t = 0; t < trials; t++) {
      const numerator = Array.from({ length: 80 }, () => (random.uniform() < 0.4 ? 1 : 0));
      const [{ low, high }] = bootstrapRatios([{ numerator, denominator: ones(80) }], { resamples: 300, seed: t });
      if (low !== null && high !== null && low <= 0.4 && 0.4 <= high) covered++;
    }
    expect(covered / trials).toBeGreaterThan(0.9);
    expect(covered / trials).toBeLessThan(0.985);
  });

  it("takes questions whole: chains of one question that agree widen the interval", () => {
    const single = bootstrapRatios([{ numerator: Array.from({ length: 200 }, (_, q) => q % 2), denominator: ones(200) }])[0];
    // The same 200 chains, but four equal ones a question.
    const grouped = bootstrapRatios([
      { numerator: Array.from({ length: 50 }, (_, q) => 4 * (q % 2)), denominator: new Array<number>(50).fill(4) },
    ])[0];
    const width = (e: typeof single) => (e.high ?? 0) - (e.low ?? 0);
    expect(width(grouped) / width(single)).toBeGreaterThan(1.7);
    expect(width(grouped) / width(single)).toBeLessThan(2.3);
  });

  it("gives nothing where there is nothing to divide by", () => {
    expect(bootstrapRatios([{ numerator: [0, 0], denominator: [0, 0] }])).toEqual([{ value: null, low: null, high: null, n: 0 }]);
    expect(bootstrapRatios([{ numerator: [], denominator: [] }])).toEqual([{ value: null, low: null, high: null, n: 0 }]);
    expect(bootstrapRatios([])).toEqual([]);
  });

  it("repeats itself with the same seed, whatever other ratios are asked for", () => {
    const a = { numerator: [1, 0, 1, 1, 0], denominator: ones(5) };
    const b = { numerator: [0.21, 1.57, 0.03, 3.9, 2.72], denominator: [4, 3, 5, 4, 7] };
    expect(bootstrapRatios([a, b], { seed: 3 })[1]).toEqual(bootstrapRatios([b], { seed: 3 })[0]);
    expect(bootstrapRatios([b], { seed: 4 })).not.toEqual(bootstrapRatios([b], { seed: 3 }));
  });

  it("refuses ratios over different questions", () => {
    expect(() => bootstrapRatios([{ numerator: [1], denominator: [1] }, { numerator: [1, 1], denominator: [1, 1] }])).toThrow(RangeError);
  });
});

describe("bootstrapDifferences", () => {
  it("is exact where one system gains the same on every question", () => {
    const hard = Array.from({ length: 60 }, (_, q) => (q % 3) / 4);
    const a = [{ numerator: hard, denominator: ones(60) }];
    const b = [{ numerator: hard.map((x) => x + 0.25), denominator: ones(60) }];
    const [{ value, low, high }] = bootstrapDifferences(a, b);
    expect(value).toBeCloseTo(0.25, 12);
    expect(low).toBeCloseTo(0.25, 12);
    expect(high).toBeCloseTo(0.25, 12);
  });

  it("has no value where one side has nothing to divide by", () => {
    const [difference] = bootstrapDifferences([{ numerator: [0], denominator: [0] }], [{ numerator: [1], denominator: [1] }]);
    expect(difference).toEqual({ value: null, low: null, high: null, n: 0 });
  });
});

import { describe, expect, it } from "vitest";
import { areaUnderCurve, commonLevel, overSeeds, pairedDifference, stepsToReach, trailingMean, type Curve } from "./measures.js";

const curve = (...points: [number, number][]): Curve => points.map(([step, value]) => ({ step, value }));

describe("areaUnderCurve", () => {
  it("is the mean height, whatever the spacing of the points", () => {
    // Trapezoids by hand: 10·0.3 + 20·0.5 = 13 over 30 steps.
    expect(areaUnderCurve(curve([0, 0.2], [10, 0.4], [30, 0.6]))).toBeCloseTo(13 / 30, 12);
    expect(areaUnderCurve(curve([0, 0.7], [60, 0.7]))).toBeCloseTo(0.7, 12);
  });
  it("does not exist for a point", () => {
    expect(areaUnderCurve(curve([0, 1]))).toBeNull();
    expect(areaUnderCurve([])).toBeNull();
  });
});

describe("stepsToReach", () => {
  const rising = curve([0, 0.2], [10, 0.4], [20, 0.3], [30, 0.8]);
  it("reads between points and takes the first crossing", () => {
    expect(stepsToReach(rising, 0.3)).toBeCloseTo(5, 12);
    expect(stepsToReach(rising, 0.4)).toBe(10);
    expect(stepsToReach(rising, 0.55)).toBeCloseTo(25, 12);
  });
  it("is the first step where the curve starts above, and nothing where it stays below", () => {
    expect(stepsToReach(rising, 0.1)).toBe(0);
    expect(stepsToReach(rising, 0.81)).toBeNull();
    expect(stepsToReach([], 0)).toBeNull();
  });
});

it("trailingMean averages the points up to each, fewer at the start", () => {
  expect(trailingMean(curve([1, 1], [2, 2], [3, 6], [4, 1]), 3).map(({ value }) => value)).toEqual([1, 1.5, 3, 3]);
});

it("commonLevel is the highest value that every curve reaches", () => {
  expect(commonLevel([curve([1, 0.2], [2, 0.9], [3, 0.5]), curve([1, 0.1], [2, 0.6])])).toBe(0.6);
  expect(commonLevel([curve([1, 0.2]), []])).toBeNull();
  expect(commonLevel([])).toBeNull();
});

describe("overSeeds", () => {
  it("gives Student's interval: t(0.975, 4) = 2.776445", () => {
    const { n, mean, sd, interval } = overSeeds([1, 2, null, 3, 4, 5]);
    expect(n).toBe(5);
    expect(mean).toBe(3);
    expect(sd).toBeCloseTo(Math.sqrt(2.5), 12);
    expect(interval?.low).toBeCloseTo(3 - 2.7764451052 * Math.sqrt(0.5), 8);
    expect(interval?.high).toBeCloseTo(3 + 2.7764451052 * Math.sqrt(0.5), 8);
  });
  it("has no spread with one value and no mean with none", () => {
    expect(overSeeds([0.5])).toEqual({ n: 1, mean: 0.5, sd: null, interval: null });
    expect(overSeeds([null, NaN])).toEqual({ n: 0, mean: null, sd: null, interval: null });
  });
});

describe("pairedDifference", () => {
  const a = new Map([[1, 0.5], [2, 0.7], [3, null], [4, 0.4], [5, 0.9]]);
  const b = new Map([[1, 0.4], [2, 0.8], [3, 0.5], [4, 0.4], [9, 0.1]]);
  it("matches by seed and leaves out seeds that one side lacks", () => {
    const difference = pairedDifference(a, b, 1);
    expect(difference.n).toBe(3);
    expect(difference.mean).toBeCloseTo(0, 12);
    expect(difference).toMatchObject({ wins: 1, ties: 1 });
  });
  it("counts a smaller value as a win where less is better", () => {
    expect(pairedDifference(new Map([[1, 0.1], [2, 0.2]]), new Map([[1, 0.3], [2, 0.3]]), -1)).toMatchObject({ n: 2, wins: 2, ties: 0 });
  });
});

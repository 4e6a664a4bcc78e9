import { describe, expect, test } from "vitest";
import { bootstrapInterval, mean, quantile, sampleStd, studentInterval, studentQuantile } from "./statistics.js";

describe("statistics", () => {
  test("mean and standard deviation (NumPy, ddof 1)", () => {
    expect(mean([3, 1, 2, 10])).toBe(4);
    expect(sampleStd([3, 1, 2, 10])).toBeCloseTo(4.08248290463863, 14);
    expect(mean([])).toBeNaN();
    expect(sampleStd([1])).toBeNaN();
    expect(sampleStd([0.1, 0.1, 0.1])).toBe(0);
    expect(mean([1e16, 1, -1e16])).toBe(mean([1, -1e16, 1e16]));
  });

  test("quantiles (NumPy's default)", () => {
    expect([0.025, 0.5, 0.9].map((q) => quantile([3, 1, 2, 10], q))).toEqual([1.075, 2.5, expect.closeTo(7.9, 12)]);
    expect(quantile([], 0.5)).toBeNaN();
  });

  test("Student's t: the tables' values", () => {
    const table: [number, number, number][] = [
      [0.975, 1, 12.706204736432095],
      [0.975, 2, 4.302652729911275],
      [0.975, 4, 2.7764451051977987],
      [0.975, 9, 2.2621571627409915],
      [0.975, 30, 2.0422724563012373],
      [0.95, 5, 2.015048373333024],
      [0.975, 1000, 1.9623390808264078],
    ];
    for (const [p, df, t] of table) {
      expect(studentQuantile(p, df)).toBeCloseTo(t, 9);
      expect(studentQuantile(1 - p, df)).toBeCloseTo(-t, 9);
    }
    const interval = studentInterval([1, 2, 3, 4, 5]);
    expect(interval?.low).toBeCloseTo(3 - (2.7764451051977987 * Math.sqrt(2.5)) / Math.sqrt(5), 9);
    expect(studentInterval([1])).toBeNull();
  });

  test("bootstrap: seeded, near the normal interval, null without items or values", () => {
    const items = Array.from({ length: 400 }, (_, i) => (i % 4 === 0 ? 1 : 0));
    const a = bootstrapInterval(items, mean, { seed: 3 });
    expect(a).toEqual(bootstrapInterval(items, mean, { seed: 3 }));
    expect(a).not.toEqual(bootstrapInterval(items, mean, { seed: 4 }));
    const half = 1.96 * Math.sqrt((0.25 * 0.75) / 400);
    expect(a?.low).toBeCloseTo(0.25 - half, 1.9);
    expect(a?.high).toBeCloseTo(0.25 + half, 1.9);
    expect(bootstrapInterval([], mean, { seed: 1 })).toBeNull();
    expect(bootstrapInterval([1], () => NaN, { seed: 1 })).toBeNull();
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { firstFailure, summariseCascades } from "./cascade.js";

const chain = (text: string): (boolean | null)[] => [...text].map((c) => (c === "?" ? null : c === "1"));

describe("first failure", () => {
  test.each([
    ["0111", 0, "early", 0, 0],
    ["1011", 0.25, "early", 1, 0],
    ["1100", 0.5, "mid", 2, 1],
    ["1110", 0.75, "late", 3, null],
    ["0", 0, "early", 0, null],
    // Borders: exactly 1/3 is mid, exactly 2/3 late, exactly 1/5 … 4/5 begin their bin.
    ["101", 1 / 3, "mid", 1, 0],
    ["110", 2 / 3, "late", 3, null],
    ["10101", 0.2, "early", 1, 1 / 3],
    ["11001", 0.4, "mid", 2, 0.5],
    ["11101", 0.6, "mid", 3, 0],
    ["11110", 0.8, "late", 4, null],
  ])("%s at %d: %s, bin %d, accumulation %s", (text, position, stage, bin, accumulation) => {
    expect(firstFailure(chain(text))).toMatchObject({ position, stage, bin, accumulation });
  });

  test("none in a faultless or empty chain, an error on an unjudged step", () => {
    expect(firstFailure(chain("111"))).toBeNull();
    expect(firstFailure([])).toBeNull();
    expect(() => firstFailure(chain("1?"))).toThrow(/unjudged/);
  });

  test("stages and bins agree with exact fractions for every place of every length", () => {
    for (let K = 1; K <= 120; K++) {
      for (let step = 0; step < K; step++) {
        const failure = firstFailure(Array.from({ length: K }, (_, k) => k !== step));
        expect(failure?.stage).toBe(3 * step < K ? "early" : 3 * step < 2 * K ? "mid" : "late");
        expect(failure?.bin).toBe([1, 2, 3, 4].filter((border) => 5 * step >= border * K).length);
      }
    }
  });
});

describe("summary", () => {
  test("worked example", () => {
    const summary = summariseCascades(["0001", "0111", "1100", "1110", "1111", "", "10?1"].map(chain));
    expect(summary).toMatchObject({
      formula: "(k*-1)/K",
      chains: 7,
      judged: 5,
      leftOut: { chains: 2, noSteps: 1, unjudgedStep: 1 },
      steps: 20,
      validSteps: 13,
      meanValidity: 13 / 20,
      failing: 4,
      faultless: 1,
      failingShare: 0.8,
      stages: {
        early: { chains: 2, share: 0.5, shareOfAll: 0.4 },
        mid: { chains: 1, share: 0.25, shareOfAll: 0.2 },
        late: { chains: 1, share: 0.25, shareOfAll: 0.2 },
      },
      meanFirstFailure: (0 + 0 + 0.5 + 0.75) / 4,
    });
    expect(summary.far.mean).toBeCloseTo((2 / 3 + 0 + 1) / 3, 15);
    expect(summary.far).toMatchObject({ pooled: 3 / 7, chains: 3, undefinedChains: 1 });
    expect(summary.farByBin.map((bin) => [bin.chains, bin.share, bin.far.mean, bin.far.undefinedChains])).toEqual([
      [2, 0.5, 1 / 3, 0],
      [0, 0, null, 0],
      [1, 0.25, 1, 0],
      [1, 0.25, null, 1],
      [0, 0, null, 0],
    ]);
  });

  test("of nothing and of the unjudged alone: no figure is made up", () => {
    for (const chains of [[], [chain("???")], [[]]]) {
      const summary = summariseCascades(chains);
      expect(summary).toMatchObject({ judged: 0, meanValidity: null, failingShare: null, meanFirstFailure: null, far: { mean: null, pooled: null } });
      expect(summary.stages.early.share).toBeNull();
      expect(summary.leftOut.chains).toBe(chains.length);
    }
  });

  test("shares of the failing chains sum to 1, bins and stages hold each of them once", () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.oneof({ arbitrary: fc.boolean(), weight: 9 }, fc.constant(null)), { maxLength: 12 })), (chains) => {
        const { stages, farByBin, failing, judged, leftOut, far } = summariseCascades(chains);
        expect(judged + leftOut.chains).toBe(chains.length);
        expect(stages.early.chains + stages.mid.chains + stages.late.chains).toBe(failing);
        expect(farByBin.reduce((sum, bin) => sum + bin.chains, 0)).toBe(failing);
        expect(far.chains + far.undefinedChains).toBe(failing);
        if (failing > 0) expect(farByBin.reduce((sum, bin) => sum + (bin.share ?? 0), 0)).toBeCloseTo(1, 12);
      }),
    );
  });
});

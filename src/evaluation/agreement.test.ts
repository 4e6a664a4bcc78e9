import { describe, expect, test } from "vitest";
import type { StepVerdict } from "../types.js";
import { agreementReport, cohenKappa } from "./agreement.js";

const step = (alignment: 0 | 1, contribution: 0 | 1 = 0): StepVerdict => ({ alignment, contribution, valid: alignment === 1 || contribution === 1 });

describe("Cohen's kappa", () => {
  // Worked by hand: (observed − chance) / (1 − chance).
  test.each([
    [[20, 5, 10, 15], 0.4],
    [[45, 15, 25, 15], 3 / 23],
    [[25, 35, 5, 35], 7 / 27],
    [[1, 0, 0, 1], 1],
    [[0, 1, 1, 0], -1],
  ])("%j", ([truePositive, falsePositive, falseNegative, trueNegative], kappa) => {
    expect(cohenKappa({ truePositive, falsePositive, falseNegative, trueNegative })).toBeCloseTo(kappa, 12);
  });

  test("does not exist without steps, or where all are alike", () => {
    expect(cohenKappa({ truePositive: 0, falsePositive: 0, falseNegative: 0, trueNegative: 0 })).toBeNull();
    expect(cohenKappa({ truePositive: 7, falsePositive: 0, falseNegative: 0, trueNegative: 0 })).toBeNull();
  });
});

describe("agreement", () => {
  const chains = [
    { id: "a", truth: [step(1), step(0), step(1, 1)], judged: [step(1), step(1), step(0, 1)] },
    { id: "b", truth: [step(0), step(0), step(0)], judged: [step(0), step(0), step(1)] },
    { id: "c", truth: [step(1)], judged: null },
  ];

  test("confusion by bit, position and step; unscored chains are counted and left out", () => {
    const report = agreementReport(chains);
    expect(report).toMatchObject({ chains: 3, unscored: 1 });
    expect(report.bits.alignment).toMatchObject({ steps: 6, truePositive: 1, falsePositive: 2, falseNegative: 1, trueNegative: 2, agreement: 0.5 });
    expect(report.bits.contribution).toMatchObject({ truePositive: 1, falsePositive: 0, falseNegative: 0, trueNegative: 5, kappa: 1 });
    expect(report.bits.valid).toMatchObject({ truePositive: 2, falsePositive: 2, falseNegative: 0, trueNegative: 2 });
    expect(report.byPosition.early.valid).toMatchObject({ steps: 2, agreement: 1 });
    expect(report.byPosition.mid.valid).toMatchObject({ steps: 2, agreement: 0.5 });
    expect(report.byStep.map(({ steps }) => steps)).toEqual([2, 2, 2]);
  });

  test("a perfect judge has kappa 1, an inverted one less than 0, with intervals that hold them", () => {
    const many = Array.from({ length: 40 }, (_, i) => [step(i % 2 === 0 ? 1 : 0), step(i % 3 === 0 ? 1 : 0)]);
    const perfect = agreementReport(many.map((truth, i) => ({ id: String(i), truth, judged: truth })));
    expect(perfect.bits.valid).toMatchObject({ kappa: 1, kappaInterval: { low: 1, high: 1 } });
    const inverted = agreementReport(many.map((truth, i) => ({ id: String(i), truth, judged: truth.map(({ alignment }) => step(alignment === 1 ? 0 : 1)) })));
    expect(inverted.bits.valid.kappa).toBeLessThan(-0.9);
    expect(inverted.bits.valid.kappaInterval?.high).toBeLessThan(-0.5);
  });

  test("nothing judged, nothing said", () => {
    const report = agreementReport([chains[2]]);
    expect(report.bits.valid).toMatchObject({ steps: 0, agreement: null, kappa: null, kappaInterval: null });
    expect(() => agreementReport([{ id: "x", truth: [step(1)], judged: [] }])).toThrow(/0 verdicts for 1 steps/);
  });
});

import { describe, expect, it } from "vitest";
import { BlameSum } from "./blame.js";

const text = "CT. Head. Cyst.";
const steps = [{ text: "CT.", start: 0, end: 3 }, { text: "Head.", start: 4, end: 9 }, { text: "Cyst.", start: 10, end: 15 }];
// "CT", ".", " Head", ".", "Cyst."
const offsets = [[0, 2], [2, 3], [4, 8], [8, 9], [10, 15]].map(([start, end]) => ({ start, end }));
const bits = (valid: boolean, own: boolean) => ({ alignment: valid ? (1 as const) : (0 as const), contribution: 0 as const, valid, own, inheritedFrom: valid || !own ? null : 0 });

describe("blame", () => {
  it("is over sentences whose own fact is right; the inherited ones apart", () => {
    expect(text.slice(steps[2].start, steps[2].end)).toBe("Cyst.");
    const sum = new BlameSum();
    sum.add({ steps, offsets, verdict: { status: "judged", steps: [bits(false, false), bits(false, true), bits(true, true)] }, tokenAdvantages: [-3, -3, -2, -1, 0.5] });
    expect(sum.value).toEqual({ rightPunished: 0.5, inheritedAdvantage: -1.5 });
  });

  it("has no value without verdicts of own facts", () => {
    const sum = new BlameSum();
    sum.add({ steps, offsets, verdict: { status: "unscored", reason: "no judge" }, tokenAdvantages: [0, 0, 0, 0, 0] });
    expect(sum.value).toEqual({ rightPunished: null, inheritedAdvantage: null });
  });
});

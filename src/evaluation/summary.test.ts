import { describe, expect, it } from "vitest";
import { MRPO, START, syntheticChain } from "../../test/support/synthetic-runs.js";
import type { StepVerdict } from "../types.js";
import { RandomStream } from "../util/random.js";
import { summariseCascades } from "./cascade.js";
import type { EvaluatedChain } from "./chain.js";
import { compareSystems } from "./compare.js";
import { METRIC_KEYS, METRICS, metricInfo } from "./metrics.js";
import { summarize, summarizeKinds } from "./summary.js";

/** A chain from its verdicts: `v` both bits, `a` alignment only, `c` contribution only, `x` invalid. */
function chain(exampleId: string, bits: string | null, correct: boolean | null, more: Partial<EvaluatedChain> = {}): EvaluatedChain {
  const verdicts = bits === null ? null : [...bits].map((bit): StepVerdict => {
    const alignment = bit === "v" || bit === "a" ? 1 : 0;
    const contribution = bit === "v" || bit === "c" ? 1 : 0;
    return { alignment, contribution, valid: alignment + contribution > 0 };
  });
  return {
    ...{ exampleId, sample: 0, kind: null, image: null, question: "?", goldAnswer: "g", goldReasoning: null, text: "", answer: "a" },
    steps: [...(bits ?? "....")].map((_, k) => ({ start: k, end: k + 1 })),
    verdicts,
    correct,
    rewards: { answer: correct === null ? null : correct ? 1 : 0.25, process: null, length: 0 },
    unscored: correct === null ? ["encoder down"] : [],
    tokens: 10,
    truncated: false,
    ...more,
  };
}

describe("summarize", () => {
  // Five steps: x at 1 → FFP 0 (early), at 3 → 0.4 (mid), at 5 → 0.8 (late, nothing after it).
  const chains = [
    chain("q1", "xvxvx", false),
    chain("q2", "vaxcx", true),
    chain("q3", "vvvvx", false),
    chain("q4", "vvvvv", true),
    chain("q5", null, true),
    chain("q6", "", null, { steps: [], tokens: 30, truncated: true }),
  ];
  const { metrics, ...counts } = summarize(chains);
  const value = (key: (typeof METRIC_KEYS)[number]) => metrics[key].value;

  it("gives the worked values", () => {
    expect(value("accuracy")).toBeCloseTo(3 / 5, 12);
    expect(value("answerReward")).toBeCloseTo((0.25 + 1 + 0.25 + 1 + 1) / 5, 12);
    expect(value("stepValidity")).toBeCloseTo(14 / 20, 12);
    expect(value("alignment")).toBeCloseTo(13 / 20, 12);
    expect(value("contribution")).toBeCloseTo(13 / 20, 12);
    expect(value("failing")).toBe(3 / 4);
    expect([value("early"), value("mid"), value("late")]).toEqual([1 / 3, 1 / 3, 1 / 3]);
    expect(value("earlyOfAll")).toBe(1 / 4);
    // q1: x after the first among vxvx: 2/4; q2: c, x: 1/2; q3 has nothing after its failure.
    expect(value("far")).toBe(0.5);
    expect([value("farBin1"), value("farBin2"), value("farBin3"), value("farBin4"), value("farBin5")]).toEqual([0.5, null, 0.5, null, null]);
    expect(value("lucky")).toBe(1 / 2);
    expect(value("stepsPerChain")).toBe(24 / 6);
    expect(value("noSteps")).toBe(1 / 6);
    expect(value("tokensPerChain")).toBe(80 / 6);
    expect(value("truncated")).toBe(1 / 6);
  });

  it("counts what it leaves out", () => {
    expect(counts).toEqual({ questions: 6, chains: 6, unscoredAnswers: 1, unjudgedChains: 1, reasons: { "encoder down": 1 } });
    expect(metrics.accuracy.n).toBe(5);
    expect(metrics.failing.n).toBe(4);
    expect(metrics.far.n).toBe(2);
  });

  it("agrees with the cascade filter's formulas on a thousand chains", () => {
    const random = new RandomStream(5);
    const many = Array.from({ length: 1000 }, (_, q) => syntheticChain(START, q, random));
    const { metrics: ours } = summarize(many, { resamples: 20 });
    const theirs = summariseCascades(many.map(({ verdicts }) => (verdicts ?? []).map(({ valid }) => valid)));
    expect(ours.stepValidity.value).toBeCloseTo(theirs.meanValidity ?? NaN, 12);
    expect(ours.early.value).toBeCloseTo(theirs.stages.early.share ?? NaN, 12);
    expect(ours.earlyOfAll.value).toBeCloseTo(theirs.stages.early.shareOfAll ?? NaN, 12);
    expect(ours.late.value).toBeCloseTo(theirs.stages.late.share ?? NaN, 12);
    expect(ours.far.value).toBeCloseTo(theirs.far.mean ?? NaN, 12);
    expect(ours.farBin2.value).toBeCloseTo(theirs.farByBin[1].far.mean ?? NaN, 12);
    // The generator's own truth: the first of K steps fails with probability 0.3.
    expect(ours.earlyOfAll.low).toBeLessThan(0.52);
    expect(ours.earlyOfAll.high).toBeGreaterThan(0.42);
  });

  it("has no values without chains, and describes every metric once", () => {
    expect(Object.values(summarize([]).metrics).every(({ value: v }) => v === null)).toBe(true);
    expect(METRICS.map(({ key }) => key)).toEqual([...METRIC_KEYS]);
    expect(metricInfo("far").unit).toBe("share");
  });

  it("summarises each kind of question over its own chains", () => {
    const kinds = summarizeKinds([chain("a", "v", true, { kind: "organ" }), chain("b", "x", false, { kind: "count" }), chain("c", "v", true)]);
    expect(Object.keys(kinds)).toEqual(["count", "organ"]);
    expect(kinds.organ.metrics.accuracy).toEqual({ value: 1, low: 1, high: 1, n: 1 });
    expect(kinds.count.metrics.stepValidity.value).toBe(0);
  });
});

describe("compareSystems", () => {
  it("pairs on shared questions only", () => {
    const a = { name: "a", chains: [chain("q1", "v", false), chain("q2", "v", false), chain("only-a", "v", true)] };
    const b = { name: "b", chains: [chain("q2", "v", true), chain("q1", "v", false), chain("only-b", "x", false)] };
    const { systems, differences } = compareSystems([a, b]);
    expect(systems[0].summary.metrics.accuracy.value).toBeCloseTo(1 / 3, 12);
    expect(differences).toHaveLength(1);
    expect(differences[0].questions).toBe(2);
    expect(differences[0].metrics.accuracy.value).toBe(0.5);
    expect(differences[0].metrics.stepValidity.value).toBe(0);
  });

  it("sees a real difference and none where there is none", () => {
    const chainsOf = (behaviour: typeof START, seed: number) => {
      const random = new RandomStream(seed);
      return Array.from({ length: 400 }, (_, q) => syntheticChain(behaviour, q, random));
    };
    const { differences } = compareSystems([
      { name: "start", chains: chainsOf(START, 1) },
      { name: "again", chains: chainsOf(START, 2) },
      { name: "mrpo", chains: chainsOf(MRPO, 3) },
    ]);
    const [same, better] = differences.map(({ metrics }) => metrics.stepValidity);
    expect((same.low ?? 1) < 0 && (same.high ?? -1) > 0).toBe(true);
    expect(better.low).toBeGreaterThan(0.1);
  });

  it("refuses systems without a common question", () => {
    const a = { name: "a", chains: [chain("q1", "v", true)] };
    expect(() => compareSystems([a, { name: "b", chains: [chain("q2", "v", true)] }])).toThrow(/a and b have no question in common/);
    expect(() => compareSystems([])).toThrow(/nothing to compare/);
  });
});

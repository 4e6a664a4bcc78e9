import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ScoredRollout } from "../types.js";
import { assignCredit, creditRollout, methods, tokenStepOf, type CreditRollout, type CreditStep } from "./credit.js";
import { gdpoAdvantages } from "./gdpo.js";
import { groupAdvantages } from "./group.js";
import { decays, penaltyFactor, shapeTokens, shapings, stepAdvantage, type StepFacts } from "./shaping.js";

interface Fixture {
  readonly grpo: readonly { readonly rewards: number[]; readonly advantages: number[] }[];
  readonly gdpo: readonly { readonly weights: number[]; readonly groups: number[][][]; readonly advantages: number[][] }[];
  readonly mrpo: readonly {
    readonly advantage: number;
    readonly answer: number;
    readonly labels: (0 | 1)[];
    readonly spans: [number, number][];
    readonly tokens: number;
    readonly tokenAdvantages: number[];
  }[];
}
const fixture = JSON.parse(
  readFileSync(new URL("../../interop/fixtures/advantages.json", import.meta.url), "utf8"),
) as Fixture;

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(1e-12));
}

describe("against PyTorch", () => {
  test("GRPO", () => {
    for (const { rewards, advantages } of fixture.grpo) expectClose(groupAdvantages(rewards), advantages);
  });

  test("GDPO", () => {
    for (const { groups, weights, advantages } of fixture.gdpo) {
      gdpoAdvantages(groups, groups.map(() => weights)).forEach((group, p) => expectClose(group, advantages[p]));
    }
  });

  test("MRPO's shaping", () => {
    for (const row of fixture.mrpo) {
      const spans = row.spans.map(([start, end]) => ({ start, end }));
      const tokenStep = tokenStepOf(spans, row.tokens);
      const steps = row.labels.map((label) => ({ valid: label === 1 }));
      expectClose(shapeTokens({ advantage: row.advantage, answerReward: row.answer, tokenStep, steps }), row.tokenAdvantages);
    }
  });
});

describe("group advantages", () => {
  test("worked value: (1 − 0.5)/(√(1/3) + 1e-4)", () => {
    expectClose(groupAdvantages([1, 0, 1, 0]), [1, -1, 1, -1].map((s) => (s * 0.5) / (Math.sqrt(1 / 3) + 1e-4)));
  });

  test("Dr. GRPO does not divide", () => {
    expect(groupAdvantages([1, 0, 0.5], { normalise: "none" })).toEqual([0.5, -0.5, 0]);
  });

  test("groups of none, one, one scored", () => {
    expect(groupAdvantages([])).toEqual([]);
    expect(groupAdvantages([3])).toEqual([0]);
    expect(groupAdvantages([null, 3, NaN])).toEqual([0, 0, 0]);
  });

  test("all equal is exactly zero", () => {
    expect(groupAdvantages([0.1, 0.1, 0.1])).toEqual([0, 0, 0]);
    expect(groupAdvantages([0.1, null, 0.1])).toEqual([0, 0, 0]);
  });
});

describe("penalties", () => {
  test("worked values", () => {
    expect([0, 1, 2].map((k) => penaltyFactor(k, 3, "exponential"))).toEqual([Math.E, Math.exp(0.5), 1]);
    expect([0, 1, 2].map((k) => penaltyFactor(k, 3, "linear"))).toEqual([Math.E, (Math.E + 1) / 2, 1]);
    expect([0, 1, 2].map((k) => penaltyFactor(k, 3, "uniform"))).toEqual([1, 1, 1]);
    expect(penaltyFactor(1, 3, "none")).toBeNull();
    expect(decays.filter((decay) => decay !== "none").map((decay) => penaltyFactor(0, 1, decay))).toEqual([1, 1, 1]);
  });

  test("monotone: an earlier step is never penalised less, and strictly more where the decay falls", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.constantFrom("exponential", "linear", "uniform" as const), (K, decay) => {
        const factors = Array.from({ length: K }, (_, k) => penaltyFactor(k, K, decay) ?? NaN);
        for (let k = 1; k < K; k++) {
          if (decay === "uniform") expect(factors[k]).toBe(factors[k - 1]);
          else expect(factors[k]).toBeLessThan(factors[k - 1]);
        }
        expect(factors[K - 1]).toBe(1);
      }),
    );
  });

  test("decay none and no flip is GRPO", () => {
    for (const valid of [true, false]) expect(stepAdvantage(-0.7, 0, 3, { valid }, { decay: "none", flipValid: false })).toBe(-0.7);
  });

  test("no negative zeros", () => {
    expect(Object.is(stepAdvantage(0, 0, 3, { valid: false }), 0)).toBe(true);
  });
});

describe("variants", () => {
  const wrong: StepFacts = { valid: false, own: false, origin: null, meanProbability: 0.5 };
  const inherited: StepFacts = { valid: false, own: true, origin: 0, meanProbability: 0.5 };
  const A = -2;

  test("paper", () => {
    expect(stepAdvantage(A, 0, 2, wrong)).toBeCloseTo(-2 * Math.E, 12);
    expect(stepAdvantage(A, 1, 2, inherited)).toBe(-2);
    expect(stepAdvantage(A, 0, 2, { valid: true })).toBe(2);
    expect(stepAdvantage(A, 0, 2, { valid: true }, { flipValid: false })).toBe(-2);
  });

  test("own-fact: a right new fact beside a repeated error counts as valid, a wrong one beside alignment does not", () => {
    const options = { shaping: "own-fact" } as const;
    expect(stepAdvantage(A, 1, 2, inherited, options)).toBe(2);
    expect(stepAdvantage(A, 1, 2, wrong, options)).toBe(-2);
    expect(() => stepAdvantage(A, 1, 2, { valid: false }, options)).toThrow(/own-fact.*step 2.*own/);
  });

  test("origin-blame: only where the error begins", () => {
    const options = { shaping: "origin-blame" } as const;
    expect(stepAdvantage(A, 0, 2, wrong, options)).toBeCloseTo(-2 * Math.E, 12);
    expect(stepAdvantage(A, 1, 2, inherited, options)).toBe(0);
    expect(stepAdvantage(A, 1, 2, inherited, { ...options, inheritedPenalty: 1 })).toBe(-2);
    expect(stepAdvantage(A, 1, 2, { ...inherited, own: false }, options)).toBe(-2);
    expect(() => stepAdvantage(A, 1, 2, { valid: false }, options)).toThrow(/origin-blame.*step 2/);
  });

  test("bounded", () => {
    expect(stepAdvantage(A, 0, 2, wrong, { shaping: "bounded" })).toBe(-3);
    expect(stepAdvantage(A, 1, 2, wrong, { shaping: "bounded" })).toBe(-2);
    expect(stepAdvantage(A, 0, 2, wrong, { shaping: "bounded", penaltyCap: 1 })).toBe(-2);
  });

  test("confidence-aware: scaled by the mean probability of the step's tokens", () => {
    expect(stepAdvantage(A, 1, 2, wrong, { shaping: "confidence-aware" })).toBe(-1);
    expect(() => stepAdvantage(A, 1, 2, { valid: false }, { shaping: "confidence-aware" })).toThrow(/meanProbability/);
  });

  test("token-confidence: the same token by token, valid steps and tokens outside as ever", () => {
    const completion = {
      advantage: A,
      answerReward: 0,
      tokenStep: [-1, 0, 0, 1],
      steps: [wrong, { valid: true }],
      tokenProbabilities: [0.1, 1, 0.25, 0.1],
    };
    expectClose(shapeTokens(completion, { shaping: "token-confidence", decay: "uniform" }), [-2, -2, -0.5, 2]);
    expectClose(shapeTokens(completion, { shaping: "token-confidence", decay: "none", flipValid: false }), [-2, -2, -2, -2]);
  });
});

/** A chain of K steps of 2 tokens each behind one token, one token after. */
function rollout(total: number, valid: readonly (boolean | null)[], rewards: Partial<CreditRollout["rewards"]> = {}): CreditRollout {
  const steps = valid.map((bit, k): CreditStep => ({ start: 1 + 2 * k, end: 3 + 2 * k, valid: bit, own: bit ?? false, origin: null, meanProbability: 0.5 }));
  const tokens = 2 * valid.length + 2;
  return { rewards: { answer: total, process: 0, length: 0, ...rewards }, tokens, steps, tokenProbabilities: new Array<number>(tokens).fill(0.5) };
}

const anyRollout = fc
  .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.array(fc.boolean(), { maxLength: 6 }))
  .map(([answer, valid]) => rollout(answer, valid, { process: valid.filter(Boolean).length / Math.max(1, valid.length) }));
const unscored = fc.constantFrom(
  rollout(0.5, [true], { process: null }),
  rollout(0.5, [true, null]),
  rollout(NaN, [false]),
  { ...rollout(0, []), rewards: { answer: null, process: null, length: null } },
);
const anyMethod = fc.constantFrom(...methods);
const anyOptions = fc.record({ decay: fc.constantFrom(...decays), shaping: fc.constantFrom(...shapings), flipValid: fc.boolean(), answerGate: fc.boolean() });

describe("invariants of credit", () => {
  test("signs: in a wrong completion valid steps get +|A|, invalid ones are not above −|A|·1 in the paper's form", () => {
    fc.assert(
      fc.property(fc.array(anyRollout, { minLength: 2, maxLength: 8 }), (rollouts) => {
        const [{ advantages, tokenAdvantages }] = assignCredit([{ method: "mrpo", rollouts }]);
        rollouts.forEach(({ steps, rewards }, g) => {
          const size = Math.abs(advantages[g]);
          if ((rewards.answer ?? 0) > 0.6) {
            expect(tokenAdvantages[g]).toEqual(tokenAdvantages[g].map(() => advantages[g]));
            return;
          }
          expect(tokenAdvantages[g][0]).toBe(advantages[g]);
          expect(tokenAdvantages[g].at(-1)).toBe(advantages[g]);
          let before = Infinity;
          for (const { start, end, valid } of steps) {
            const values = tokenAdvantages[g].slice(start, end);
            expect(new Set(values).size).toBe(1);
            if (valid) expect(values[0]).toBe(size);
            else {
              expect(-values[0]).toBeGreaterThanOrEqual(size);
              expect(-values[0]).toBeLessThanOrEqual(size * Math.E + 1e-12);
              expect(-values[0]).toBeLessThanOrEqual(before);
              before = -values[0];
            }
          }
        });
      }),
    );
  });

  test("without the gate right completions are shaped too", () => {
    const rollouts = [rollout(1, [false]), rollout(0, [true])];
    const [{ advantages, tokenAdvantages }] = assignCredit([{ method: "mrpo", rollouts, options: { answerGate: false } }]);
    expect(tokenAdvantages[0]).toEqual([advantages[0], -advantages[0], -advantages[0], advantages[0]]);
  });

  test("an unscored completion changes nothing for the others and gets zeros", () => {
    fc.assert(
      fc.property(fc.array(anyRollout, { minLength: 1, maxLength: 6 }), unscored, fc.nat(6), anyMethod, anyOptions, (rollouts, extra, place, method, options) => {
        const at = Math.min(place, rollouts.length);
        const other = { method, rollouts: [rollout(1, [true]), rollout(0, [false])], options };
        const [before, otherBefore] = assignCredit([{ method, rollouts, options }, other]);
        const [after, otherAfter] = assignCredit([{ method, rollouts: rollouts.toSpliced(at, 0, extra), options }, other]);
        expect(otherAfter).toEqual(otherBefore);
        expect(after.unscored).toEqual([at]);
        expect(after.advantages[at]).toBe(0);
        expect(after.tokenAdvantages[at]).toEqual(new Array<number>(extra.tokens).fill(0));
        expect(after.advantages.toSpliced(at, 1)).toEqual(before.advantages);
        expect(after.tokenAdvantages.toSpliced(at, 1)).toEqual(before.tokenAdvantages);
      }),
    );
  });

  test("permuting a group permutes its credit, bit for bit", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof({ arbitrary: anyRollout, weight: 5 }, unscored), { minLength: 1, maxLength: 7 }), fc.infiniteStream(fc.nat()), anyMethod, anyOptions, (rollouts, keys, method, options) => {
        const order = rollouts.map((_, g) => ({ g, key: keys.next().value })).sort((a, b) => a.key - b.key).map(({ g }) => g);
        const [plain] = assignCredit([{ method, rollouts, options }]);
        const [permuted] = assignCredit([{ method, rollouts: order.map((g) => rollouts[g]), options }]);
        expect(permuted.advantages).toEqual(order.map((g) => plain.advantages[g]));
        expect(permuted.tokenAdvantages).toEqual(order.map((g) => plain.tokenAdvantages[g]));
      }),
    );
  });

  test("all-equal rewards give zeros, also for one group in a GDPO batch", () => {
    fc.assert(
      fc.property(anyRollout, fc.integer({ min: 1, max: 6 }), anyMethod, fc.array(anyRollout, { maxLength: 4 }), anyOptions, (one, G, method, others, options) => {
        const [credit] = assignCredit([{ method, rollouts: new Array<CreditRollout>(G).fill(one), options }, { method, rollouts: others, options }]);
        expect(credit.advantages).toEqual(new Array<number>(G).fill(0));
        expect(credit.tokenAdvantages.flat().every((value) => value === 0)).toBe(true);
      }),
    );
  });

  test("GRPO and GDPO give every token the completion's advantage", () => {
    fc.assert(
      fc.property(fc.array(anyRollout, { minLength: 2, maxLength: 5 }), fc.constantFrom("grpo", "gdpo" as const), (rollouts, method) => {
        const [{ advantages, tokenAdvantages }] = assignCredit([{ method, rollouts }]);
        tokenAdvantages.forEach((tokens, g) => expect(new Set([...tokens, advantages[g]]).size).toBe(1));
      }),
    );
  });

  test("inputs are not changed", () => {
    const rollouts = [rollout(1, [true, false]), rollout(0, [false, null])];
    const copy = structuredClone(rollouts);
    assignCredit(methods.map((method) => ({ method, rollouts })));
    expect(rollouts).toEqual(copy);
  });
});

describe("adversarial cases", () => {
  test("everything unjudged", () => {
    for (const method of methods) {
      const [credit] = assignCredit([{ method, rollouts: [rollout(1, [null]), rollout(0, [true], { process: null })] }]);
      expect(credit).toEqual({ advantages: [0, 0], tokenAdvantages: [[0, 0, 0, 0], [0, 0, 0, 0]], unscored: [0, 1] });
    }
  });

  test("no steps, one step, no tokens, no rollouts", () => {
    const rollouts = [rollout(0, []), rollout(0.5, [false]), { ...rollout(1, []), tokens: 0 }];
    const [{ advantages, tokenAdvantages }] = assignCredit([{ method: "mrpo", rollouts }]);
    const [a, b] = advantages;
    expect(tokenAdvantages).toEqual([[a, a], [b, -Math.abs(b) || 0, -Math.abs(b) || 0, b], []]);
    expect(assignCredit([{ method: "gdpo", rollouts: [] }])).toEqual([{ advantages: [], tokenAdvantages: [], unscored: [] }]);
    expect(assignCredit([])).toEqual([]);
  });

  test("a reward of weight 0 may be unscored, and so may verdicts that nothing uses", () => {
    const rollouts = [rollout(1, [null], { process: null }), rollout(0, [true], { process: NaN })];
    const [grpo, gdpo, mrpo] = assignCredit(
      (["grpo", "gdpo", "mrpo"] as const).map((method) => ({ method, rollouts, options: { weights: { process: 0 } } })),
    );
    expect(grpo.advantages[0]).toBeGreaterThan(0);
    expect(gdpo.advantages[0]).toBeGreaterThan(0);
    expect(grpo.unscored).toEqual([]);
    // MRPO shapes by the verdicts, whatever the process reward weighs.
    expect(mrpo.unscored).toEqual([0]);
  });

  test("weights", () => {
    const rollouts = [rollout(1, [], { process: 0, length: -1 }), rollout(0, [], { process: 1, length: 0 })];
    const [even] = assignCredit([{ method: "grpo", rollouts, options: { weights: { length: 0 } } }]);
    expect(even.advantages).toEqual([0, 0]);
    const [tilted] = assignCredit([{ method: "grpo", rollouts, options: { weights: { answer: 3 }, normalise: "none" } }]);
    expect(tilted.advantages).toEqual([0.5, -0.5]);
  });

  test("a lone scored rollout has no part in GDPO's batch", () => {
    const pair = { method: "gdpo", rollouts: [rollout(1, []), rollout(0, [])] } as const;
    const lone = { method: "gdpo", rollouts: [rollout(1, []), rollout(0, [], { process: null })] } as const;
    expect(assignCredit([pair, lone])).toEqual([...assignCredit([pair]), { advantages: [0, 0], tokenAdvantages: [[0, 0], [0, 0]], unscored: [1] }]);
  });
});

test("creditRollout takes verdicts, spans and probabilities over", () => {
  const scored: ScoredRollout = {
    rollout: { exampleId: "a", index: 0, tokens: [5, 6, 7], logprobs: [Math.log(0.5), Math.log(0.25), 0], text: "x y z", offsets: [], stopReason: "stop" },
    answer: null,
    steps: [{ text: "x y", start: 0, end: 3 }],
    verdict: { status: "judged", steps: [{ alignment: 0, contribution: 0, valid: false, own: true, inheritedFrom: null }] },
    rewards: { answer: { status: "scored", value: 0 }, process: { status: "unscored", reason: "?" }, length: { status: "scored", value: -0.75 } },
  };
  const credit = creditRollout(scored, { tokenStep: [0, 0, -1], spans: [{ start: 0, end: 2 }] });
  expect(credit.rewards).toEqual({ answer: 0, process: null, length: -0.75 });
  expect(credit.steps[0]).toMatchObject({ start: 0, end: 2, valid: false, own: true, origin: null });
  expect(credit.steps[0].meanProbability).toBeCloseTo(0.375, 12);
  const unjudged = creditRollout({ ...scored, verdict: { status: "unscored", reason: "?" } }, { tokenStep: [0, 0, -1], spans: [{ start: 0, end: 2 }] });
  expect(unjudged.steps[0].valid).toBeNull();
});

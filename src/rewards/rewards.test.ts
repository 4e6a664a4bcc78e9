import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerRewards, lexicalAnswerReward, type BertScoreEncoder } from "./answer.js";
import { lengthReward } from "./length.js";
import { bleu1, rouge1 } from "./lexical.js";
import { porterStem } from "./porter.js";
import { processReward } from "./process.js";
import { answersEqual } from "./verify.js";

interface Fixture {
  readonly pairs: readonly { readonly answer: string; readonly gold: string; readonly rouge1: number; readonly bleu1: number }[];
  readonly stems: Readonly<Record<string, string>>;
}
const fixture = JSON.parse(
  readFileSync(new URL("../../interop/fixtures/answer-reward.json", import.meta.url), "utf8"),
) as Fixture;

describe("against rouge_score and NLTK", () => {
  test("stems", () => {
    const ours = Object.fromEntries(Object.keys(fixture.stems).map((word) => [word, porterStem(word)]));
    expect(Object.keys(ours).length).toBeGreaterThan(400);
    expect(ours).toEqual(fixture.stems);
  });

  test("ROUGE-1 and BLEU-1 of every pair", () => {
    expect(fixture.pairs.length).toBeGreaterThan(300);
    for (const pair of fixture.pairs) {
      expect(Math.abs(rouge1(pair.answer, pair.gold) - pair.rouge1), `rouge1 ${JSON.stringify(pair)}`).toBeLessThan(1e-12);
      expect(Math.abs(bleu1(pair.answer, pair.gold) - pair.bleu1), `bleu1 ${JSON.stringify(pair)}`).toBeLessThan(1e-12);
    }
  });
});

describe("verified equality", () => {
  test.each([
    ["4", "four"],
    ["4.0", "four"],
    ["4", "4.00"],
    ["Four.", "4"],
    ["twenty-one", "21"],
    ["Twenty One lesions", "21 lesions"],
    ["one hundred and five", "105"],
    ["two thousand three hundred", "2,300"],
    ["1,000 ml", "1000ml"],
    ["50%", "fifty percent"],
    ["1/2", "0.5"],
    [".5", "0.5"],
    ["-3", "−3.0"],
    ["3.5 cm", "3.5cm"],
    ["The Liver", "liver"],
    [" right   lung. ", "Right Lung"],
    ["“cyst”", "cyst"],
    ["<b>cyst</b>", "cyst"],
    ["X‑ray", "x-ray"],
    ["ﬁbrosis", "fibrosis"],
    ["lung , right", "lung, right"],
  ])("%j is %j", (answer, gold) => {
    expect(answersEqual(answer, gold)).toBe(true);
    expect(answersEqual(gold, answer)).toBe(true);
  });

  test.each([
    ["4", "5"],
    ["4", "-4"],
    ["four", "fourteen"],
    ["one two", "12"],
    ["twenty", "20 mm"],
    ["right lung", "left lung"],
    ["x-ray", "xray"],
    ["", ""],
    ["...", "?"],
    ["1/0", "0"],
    ["1e3", "1000"],
    ["hundred", "100"],
    ["two and three", "5"],
    ["1,00", "100"],
    ["3.5", "35"],
  ])("%j is not %j", (answer, gold) => {
    expect(answersEqual(answer, gold)).toBe(false);
  });

  test("any number below a million equals its words", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999 }), (n) => {
        expect(answersEqual(inWords(n), String(n))).toBe(true);
        expect(answersEqual(inWords(n), String(n + 1))).toBe(false);
      }),
    );
  });
});

describe("answer reward", () => {
  test("verified pays 1, whatever the encoder says", async () => {
    const encoder: BertScoreEncoder = { name: "zero", f1: (pairs) => Promise.resolve(pairs.map(() => 0)) };
    const [reward] = await answerRewards([{ answer: "four", gold: "4" }], encoder);
    expect(reward).toMatchObject({ status: "scored", value: { value: 1, verified: true } });
  });

  test("without an encoder the lexical parts weigh a half each, and the reward says so", () => {
    const reward = lexicalAnswerReward("right lung", "left lung");
    expect(reward).toEqual({
      value: 0.5,
      verified: false,
      rouge1: 0.5,
      bleu1: 0.5,
      bertScore: null,
      weights: { rouge1: 0.5, bleu1: 0.5, bertScore: 0 },
    });
  });

  test("with one: 0.25, 0.25, 0.5; asked once, only for open answers, in order", async () => {
    const asked: string[][] = [];
    const encoder: BertScoreEncoder = {
      name: "fixed",
      f1: (pairs) => {
        asked.push(pairs.map((pair) => pair.answer));
        return Promise.resolve([0.8, 0.4]);
      },
    };
    const rewards = await answerRewards(
      [
        { answer: "right lung", gold: "left lung" },
        { answer: "liver", gold: "Liver" },
        { answer: null, gold: "liver" },
        { answer: "", gold: "liver" },
        { answer: "spleen", gold: "liver" },
      ],
      encoder,
    );
    expect(asked).toEqual([["right lung", "spleen"]]);
    expect(rewards.map((reward) => (reward.status === "scored" ? reward.value.value : null))).toEqual([0.65, 1, 0, 0, 0.2]);
  });

  test("an encoder that fails or gives no number leaves the answer unscored, others keep their reward", async () => {
    const failing: BertScoreEncoder = { name: "gone", f1: () => Promise.reject(new Error("no model")) };
    const pairs = [
      { answer: "liver", gold: "liver" },
      { answer: "spleen", gold: "liver" },
    ];
    expect(await answerRewards(pairs, failing)).toMatchObject([
      { status: "scored" },
      { status: "unscored", reason: "BERTScore encoder gone: no model" },
    ]);
    for (const wrong of [[NaN], [2], []]) {
      const encoder: BertScoreEncoder = { name: "odd", f1: () => Promise.resolve(wrong) };
      expect((await answerRewards(pairs, encoder))[1]).toMatchObject({ status: "unscored" });
    }
  });

  test("an aborted signal rejects", async () => {
    const encoder: BertScoreEncoder = { name: "slow", f1: () => Promise.reject(new Error("aborted inside")) };
    await expect(answerRewards([{ answer: "a b", gold: "c" }], encoder, AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
  });

  test("stays in [0, 1]", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (answer, gold) => {
        const { value } = lexicalAnswerReward(answer, gold);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
      }),
    );
  });
});

test("process reward: share of valid steps; none is 0; unjudged stays unscored", () => {
  const step = (valid: boolean) => ({ alignment: valid ? 1 : 0, contribution: 0, valid }) as const;
  expect(processReward({ status: "judged", steps: [step(true), step(false), step(true), step(true)] })).toEqual({ status: "scored", value: 0.75 });
  expect(processReward({ status: "judged", steps: [] })).toEqual({ status: "scored", value: 0 });
  expect(processReward({ status: "unscored", reason: "time out" })).toEqual({ status: "unscored", reason: "time out" });
});

test("length reward", () => {
  expect([0, 1, 3, 4, 7, 10, 11, 20, 30].map((K) => lengthReward(K))).toEqual([-1, -0.75, -0.25, 0, 0, 0, -0.1, -1, -2]);
  expect(lengthReward(1, { kMin: 2, kMax: 2 })).toBe(-0.5);
  expect(() => lengthReward(1, { kMin: 5, kMax: 4 })).toThrow(/kMin 5 and kMax 4/);
});

function inWords(n: number): string {
  const small = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(" ");
  const tens = "x x twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
  if (n < 20) return small[n];
  if (n < 100) return tens[Math.floor(n / 10)] + (n % 10 ? `-${small[n % 10]}` : "");
  const [unit, name] = n < 1000 ? [100, "hundred"] : [1000, "thousand"];
  return `${inWords(Math.floor(n / unit))} ${name}${n % unit ? ` and ${inWords(n % unit)}` : ""}`;
}

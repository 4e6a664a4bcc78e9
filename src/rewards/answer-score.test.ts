import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stripBlanks } from "../util/blanks.js";
import { answerRewards, answerScores, type AnswerPair, type BertScoreEncoder } from "./answer.js";
import { BertScorer, greedyMatch, type TokenEmbeddings, type TokenEncoder } from "./bert-score.js";
import { bleu1, rouge1 } from "./lexical.js";
import { answersEqual } from "./verify.js";

interface Pair {
  readonly answer: string;
  readonly gold: string;
  readonly rouge1: number;
  readonly bleu1: number;
  readonly bert: readonly [number | null, number | null, number];
  readonly combined: number;
}
const { pairs } = JSON.parse(readFileSync(new URL("../../interop/fixtures/answer-score.json", import.meta.url), "utf8")) as { pairs: readonly Pair[] };

/** Gives the Python library's F1 of each pair. */
const recorded: BertScoreEncoder = {
  name: "recorded",
  f1: (asked) => Promise.resolve(asked.map(({ answer, gold }) => pairs.find((p) => stripBlanks(p.answer) === answer && stripBlanks(p.gold) === gold)?.bert[2] ?? NaN)),
};

describe("short clinical answers against rouge_score, NLTK and the reference's sum", () => {
  test("ROUGE-1 and BLEU-1", () => {
    expect(pairs.length).toBeGreaterThan(300);
    for (const pair of pairs) {
      const [answer, gold] = [stripBlanks(pair.answer), stripBlanks(pair.gold)];
      expect(Math.abs(rouge1(answer, gold) - pair.rouge1), `rouge1 ${JSON.stringify(pair)}`).toBeLessThan(1e-12);
      expect(Math.abs(bleu1(answer, gold) - pair.bleu1), `bleu1 ${JSON.stringify(pair)}`).toBeLessThan(1e-12);
    }
  });

  test("the combined reward; 1 where verified, 0 without an answer", async () => {
    const scores = await answerScores(pairs, recorded);
    const kinds = { verified: 0, empty: 0, combined: 0 };
    for (const [i, score] of scores.entries()) {
      const pair = pairs[i];
      if (score.status === "unscored") throw new Error(score.reason);
      const { reward, verified, bertScore } = score.value;
      expect(bertScore).toBeCloseTo(pair.bert[2], 6);
      expect(verified).toBe(answersEqual(pair.answer, pair.gold));
      const kind = verified ? "verified" : stripBlanks(pair.answer) === "" ? "empty" : "combined";
      kinds[kind]++;
      const expected = { verified: 1, empty: 0, combined: pair.combined }[kind];
      expect(Math.abs(reward - expected), JSON.stringify(pair)).toBeLessThan(1e-6);
    }
    expect(kinds.verified).toBeGreaterThan(30);
    expect(kinds.combined).toBeGreaterThan(100);
    expect(kinds.empty).toBeGreaterThan(2);
  });

  test("training's reward is the filter's", async () => {
    const scores = await answerScores(pairs, recorded);
    const rewards = await answerRewards(pairs, recorded);
    expect(rewards.map((r) => (r.status === "scored" ? r.value.value : null))).toEqual(scores.map((s) => (s.status === "scored" ? s.value.reward : null)));
  });
});

test("a score for every part, verified or not, and null without an encoder", async () => {
  const [score] = await answerScores([{ answer: "two", gold: "2" }], recorded);
  expect(score).toMatchObject({ value: { reward: 1, verified: true, rouge1: 0, bleu1: 0 } });
  expect(await answerScores([{ answer: null, gold: "2" }], null)).toEqual([
    { status: "scored", value: { reward: 0, verified: false, rouge1: 0, bleu1: 0, bertScore: null } },
  ]);
  const gone: BertScoreEncoder = { name: "gone", f1: () => Promise.reject(new Error("no model")) };
  expect(await answerScores([{ answer: "a", gold: "a" }], gone)).toEqual([{ status: "unscored", reason: "BERTScore encoder gone: no model" }]);
});

const embeddings = (vectors: number[][], counts = vectors.map(() => true)): TokenEmbeddings => ({ vectors: Float32Array.from(vectors.flat()), width: vectors[0]?.length ?? 2, counts });

describe("greedy matching", () => {
  test("worked values: means over the tokens that count, matches with all", () => {
    // Candidate tokens at 0° and 90°, reference at 0° and 60°: best cosines 1 and cos 30°; back 1 and cos 30°.
    const a = embeddings([[1, 0], [0, 2]]);
    const b = embeddings([[3, 0], [0.5, Math.sqrt(3) / 2]]);
    const mean = (1 + Math.sqrt(3) / 2) / 2;
    expect(greedyMatch(a, b).f1).toBeCloseTo(mean, 7);
    // [CLS] at 0° of the reference does not count, but the candidate's first token is matched with it.
    const special = embeddings([[1, 0], [0, 1]], [false, true]);
    expect(greedyMatch(a, special)).toEqual({ precision: 1, recall: 1, f1: 1 });
    expect(greedyMatch(embeddings([[1, 0]]), special)).toEqual({ precision: 1, recall: 0, f1: 0 });
  });

  test("nothing but special tokens is 0, opposite texts are 0, other widths are refused", () => {
    const nothing = embeddings([[1, 0], [0, 1]], [false, false]);
    expect(greedyMatch(nothing, embeddings([[1, 0]])).f1).toBe(0);
    expect(greedyMatch(embeddings([[1, 0]]), nothing).f1).toBe(0);
    expect(greedyMatch(embeddings([[1, 0]]), embeddings([[-1, 0]])).f1).toBe(0);
    expect(() => greedyMatch(embeddings([[1, 0]]), embeddings([[1, 0, 0]]))).toThrow(/width 2 and 3/);
  });

  const vector = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 });
  const text = fc.array(vector, { minLength: 1, maxLength: 6 }).map((rows) => embeddings(rows));
  test("within [0, 1], symmetric, 1 with itself, blind to lengths of vectors", () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const one = greedyMatch(a, b);
        const other = greedyMatch(b, a);
        expect(one.f1).toBeGreaterThanOrEqual(0);
        expect(one.f1).toBeLessThanOrEqual(1);
        expect(other.f1).toBeCloseTo(one.f1, 12);
        expect(other.precision).toBeCloseTo(one.recall, 12);
        expect(greedyMatch({ ...a, vectors: a.vectors.map((x) => x * 4) }, b).f1).toBeCloseTo(one.f1, 12);
        if (a.vectors.some((x) => Math.abs(x) > 1e-3)) {
          const rows = a.counts.map((_, i) => a.vectors.subarray(3 * i, 3 * i + 3)).filter((row) => row.some((x) => Math.abs(x) > 1e-3));
          const sound = embeddings(rows.map((row) => [...row]));
          expect(greedyMatch(sound, sound).f1).toBeCloseTo(1, 9);
        }
      }),
    );
  });
});

describe("lexical parts", () => {
  const words = fc.array(fc.constantFrom("left", "right", "lung", "Lungs", "mass", "3.5", "cm", "T2-weighted", "the", "…"), { maxLength: 8 }).map((w) => w.join(" "));
  test("within [0, 1]; ROUGE-1 is symmetric and blind to order; BLEU-1 of a text with itself is 1", () => {
    fc.assert(
      fc.property(words, words, (a, b) => {
        for (const value of [rouge1(a, b), bleu1(a, b)]) {
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(1);
        }
        expect(rouge1(a, b)).toBeCloseTo(rouge1(b, a), 12);
        expect(rouge1(a.split(" ").reverse().join(" "), b)).toBe(rouge1(a, b));
        expect(bleu1(a, a)).toBe(a === "" ? 0 : 1);
      }),
    );
  });
});

describe("the cache of embeddings", () => {
  function counting(limit?: number): { scorer: BertScorer; asked: string[][] } {
    const asked: string[][] = [];
    const encoder: TokenEncoder = {
      name: "letters",
      embed: (texts) => {
        asked.push([...texts]);
        return Promise.resolve(texts.map((text) => embeddings([[text.length, 1]])));
      },
    };
    return { scorer: new BertScorer(encoder, limit === undefined ? {} : { cacheNumbers: limit }), asked };
  }
  const pair = (answer: string, gold: string): AnswerPair => ({ answer, gold });

  test("a text is embedded once, also over calls", async () => {
    const { scorer, asked } = counting();
    await scorer.f1([pair("a", "gold"), pair("b", "gold"), pair("a", "gold")]);
    await scorer.f1([pair("c", "gold"), pair("gold", "a")]);
    expect(asked).toEqual([["a", "gold", "b"], ["c"]]);
    expect(await scorer.f1([])).toEqual([]);
  });

  test("bounded: the least recently used goes", async () => {
    const { scorer, asked } = counting(4);
    await scorer.f1([pair("a", "b")]);
    await scorer.f1([pair("a", "c")]);
    await scorer.f1([pair("a", "a")]);
    await scorer.f1([pair("b", "b")]);
    expect(asked).toEqual([["a", "b"], ["c"], ["b"]]);
  });
});

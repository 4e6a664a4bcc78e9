import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sentenceSpans, splitSentences } from "./sentences.js";

interface Passage {
  readonly text: string;
  readonly gold: readonly string[];
  /** NLTK's Punkt with its published English model. */
  readonly punkt: readonly string[];
}

const passages = JSON.parse(
  readFileSync(new URL("../../interop/fixtures/sentences.json", import.meta.url), "utf8"),
) as Passage[];

/** Borders (offset of each sentence's start) shared with the gold ones: F1 over all passages. */
function borderF1(split: (passage: Passage) => readonly string[]): number {
  const starts = (text: string, sentences: readonly string[]): Set<number> => {
    const out = new Set<number>();
    let from = 0;
    for (const sentence of sentences) {
      const at = text.indexOf(sentence, from);
      out.add(at);
      from = at + sentence.length;
    }
    return out;
  };
  let shared = 0;
  let found = 0;
  let gold = 0;
  for (const passage of passages) {
    const expected = starts(passage.text, passage.gold);
    const actual = starts(passage.text, split(passage));
    shared += [...actual].filter((at) => expected.has(at)).length;
    found += actual.size;
    gold += expected.size;
  }
  return (2 * shared) / (found + gold);
}

describe("clinical gold set", () => {
  test("holds at least 250 sentences", () => {
    expect(passages.reduce((sum, passage) => sum + passage.gold.length, 0)).toBeGreaterThanOrEqual(250);
  });

  test.each(passages.map((passage): [string, Passage] => [passage.text, passage]))("%j", (_, passage) => {
    expect(splitSentences(passage.text)).toEqual(passage.gold);
  });

  test("is nearer to the gold borders than Punkt", () => {
    const ours = borderF1(({ text }) => splitSentences(text));
    const punkt = borderF1((passage) => passage.punkt);
    expect(punkt).toBeGreaterThan(0.85);
    expect(ours).toBeGreaterThan(punkt);
  });
});

describe("invariants", () => {
  const piece = fc.constantFrom("The", "liver", "is", "3.5", "cm", "e.g.", "No.", "1.", "-", "?", "!", "…", "...", "(", ")", '"', "\n", " ", "  ", "B.", "é", "𝛼", "\u00a0");
  const texts = fc.oneof(fc.string({ unit: "grapheme" }), fc.array(piece, { maxLength: 40 }).map((parts) => parts.join(" ")), fc.array(piece, { maxLength: 40 }).map((parts) => parts.join("")));

  test("sentences are ordered, trimmed, not empty, and cover every non-blank character once", () => {
    fc.assert(
      fc.property(texts, (text) => {
        let covered = "";
        let previous = 0;
        for (const { start, end } of sentenceSpans(text)) {
          expect(start).toBeGreaterThanOrEqual(previous);
          const sentence = text.slice(start, end);
          expect(sentence).not.toBe("");
          expect(sentence.trim()).toBe(sentence);
          covered += sentence;
          previous = end;
        }
        expect(covered.replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
      }),
      { numRuns: 2000 },
    );
  });

  test("numbering alone is a sentence only at the very end", () => {
    expect(splitSentences("1. The liver. 2.")).toEqual(["1. The liver.", "2."]);
    expect(splitSentences("1. 2. The liver.")).toEqual(["1. 2. The liver."]);
    expect(splitSentences("3.")).toEqual(["3."]);
  });

  test("punctuation left alone joins the sentence before it", () => {
    expect(splitSentences('It is "benign. " The rest.')).toEqual(['It is "benign. "', "The rest."]);
    expect(splitSentences("Done. ... !")).toEqual(["Done. ... !"]);
    expect(splitSentences("!")).toEqual(["!"]);
  });

  test("a long text takes linear time", () => {
    const text = "The lesion in seg. 7 is approx. 3.5 cm wide, e.g. in Fig. 2. ".repeat(4000);
    const from = performance.now();
    expect(sentenceSpans(text).length).toBe(4000);
    expect(sentenceSpans(`${"a".repeat(200_000)}${".".repeat(100_000)}${" ".repeat(100_000)}x`).length).toBeGreaterThan(0);
    expect(performance.now() - from).toBeLessThan(5000);
  });
});

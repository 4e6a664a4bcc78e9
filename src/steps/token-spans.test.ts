import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Span } from "../types.js";
import { segment } from "./segment.js";
import { stepTokens } from "./token-spans.js";

/** Spans of consecutive pieces, which must make up the text. */
function offsetsOf(text: string, pieces: readonly string[]): Span[] {
  expect(pieces.join("")).toBe(text);
  let at = 0;
  return pieces.map((piece) => ({ start: at, end: (at += piece.length) }));
}

function tokensOf(text: string, pieces: readonly string[]) {
  const offsets = offsetsOf(text, pieces);
  return stepTokens(text, segment(text).steps, offsets);
}

describe("step tokens", () => {
  test("leading blanks go with the word behind them, tags and blanks to no step", () => {
    const pieces = ["<think>", "The", " liver", ".", " Dark", ".", "\n", "</think>", "<answer>", "x"];
    const { tokenStep, spans } = tokensOf(pieces.join(""), pieces);
    expect(tokenStep).toEqual([-1, 0, 0, 0, 1, 1, -1, -1, -1, -1]);
    expect(spans).toEqual([{ start: 1, end: 4 }, { start: 4, end: 6 }]);
  });

  test("a token merged over a sentence border belongs to the sentence of its first character", () => {
    const pieces = ["<think>", "One", ". Two", " more", ".\n\n", "Three", ".</", "think>"];
    const { tokenStep, spans } = tokensOf(pieces.join(""), pieces);
    expect(tokenStep).toEqual([-1, 0, 0, 1, 1, 2, 2, -1]);
    expect(spans).toEqual([{ start: 1, end: 3 }, { start: 3, end: 5 }, { start: 5, end: 7 }]);
  });

  test("a token merged with the opening tag begins with the tag and belongs to none", () => {
    const pieces = ["<think", ">One", " two", "."];
    expect(tokensOf(pieces.join(""), pieces).tokenStep).toEqual([-1, -1, 0, 0]);
  });

  test("blank tokens inside a step belong to none; the span covers them", () => {
    const pieces = ["<think>", "One", "  ", "two", "\n", "three", "."];
    const { tokenStep, spans } = tokensOf(pieces.join(""), pieces);
    expect(tokenStep).toEqual([-1, 0, -1, 0, -1, 0, 0]);
    expect(spans).toEqual([{ start: 1, end: 7 }]);
  });

  test("byte-level parts of one character share its step", () => {
    const text = "<think>A. 🫁 b.";
    const offsets = [
      { start: 0, end: 7 },
      { start: 7, end: 9 },
      { start: 9, end: 12 },
      { start: 10, end: 12 },
      { start: 10, end: 12 },
      { start: 12, end: 15 },
    ];
    expect(stepTokens(text, segment(text).steps, offsets).tokenStep).toEqual([-1, 0, 1, 1, 1, 1]);
  });

  test("tokens of no width belong to none", () => {
    const text = "<think>One.";
    const offsets = [{ start: 0, end: 7 }, { start: 7, end: 7 }, { start: 7, end: 11 }, { start: 11, end: 11 }];
    expect(stepTokens(text, segment(text).steps, offsets).tokenStep).toEqual([-1, -1, 0, -1]);
  });

  test("a step that has no token of its own gets an empty span in its place", () => {
    const pieces = ["<think>", "Ax.", " Bx. Cx. D", " e."];
    const { tokenStep, spans } = tokensOf(pieces.join(""), pieces);
    expect(tokenStep).toEqual([-1, 0, 1, 3]);
    expect(spans).toEqual([{ start: 1, end: 2 }, { start: 2, end: 3 }, { start: 3, end: 3 }, { start: 3, end: 4 }]);
  });

  test("no steps, no tokens", () => {
    expect(stepTokens("", [], [])).toEqual({ tokenStep: [], spans: [] });
    expect(stepTokens("abc", [], [{ start: 0, end: 3 }])).toEqual({ tokenStep: [-1], spans: [] });
    expect(stepTokens("abc", [{ start: 0, end: 3 }], [])).toEqual({ tokenStep: [], spans: [{ start: 0, end: 0 }] });
  });

  test("wrong spans are refused with their number", () => {
    expect(() => stepTokens("abc", [{ start: 0, end: 4 }], [])).toThrow(/step 1: span 0–4/);
    expect(() => stepTokens("abcd", [{ start: 0, end: 2 }, { start: 1, end: 3 }], [])).toThrow(/step 2/);
    expect(() => stepTokens("abc", [], [{ start: 2, end: 5 }])).toThrow(/token 0: span 2–5/);
    expect(() => stepTokens("abc", [], [{ start: NaN, end: 2 }])).toThrow(RangeError);
  });

  test("any cutting of any chain: every non-blank token of the think text that begins in it is in exactly one step, in order", () => {
    const chain = fc.array(fc.constantFrom("The liver", " is", " dark.", " e.g.", "\n", "  ", " 3.5", " cm. Two", " 🫁", "é?", "</think>", "<answer>x"), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(chain, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 60, maxLength: 60 }), (parts, sizes) => {
        const text = `<think>${parts.join("")}`;
        const offsets: Span[] = [];
        for (let at = 0; at < text.length; ) {
          const end = Math.min(text.length, at + sizes[offsets.length % sizes.length]);
          offsets.push({ start: at, end });
          at = end;
        }
        const { steps, thinkSpans } = segment(text);
        const { tokenStep, spans } = stepTokens(text, steps, offsets);
        offsets.forEach(({ start, end }, t) => {
          const piece = text.slice(start, end);
          const first = start + piece.search(/\S/);
          const inThink = piece.trim() !== "" && thinkSpans.some((span) => first >= span.start && first < span.end);
          expect(tokenStep[t] >= 0).toBe(inThink);
          if (inThink) {
            expect(first).toBeGreaterThanOrEqual(steps[tokenStep[t]].start);
            expect(first).toBeLessThan(steps[tokenStep[t]].end);
            expect(t).toBeGreaterThanOrEqual(spans[tokenStep[t]].start);
            expect(t).toBeLessThan(spans[tokenStep[t]].end);
          }
        });
        const assigned = tokenStep.filter((k) => k >= 0);
        expect(assigned).toEqual([...assigned].sort((a, b) => a - b));
        spans.forEach((span, k) => {
          if (k > 0) expect(span.start).toBeGreaterThanOrEqual(spans[k - 1].end);
        });
      }),
      { numRuns: 1000 },
    );
  });
});

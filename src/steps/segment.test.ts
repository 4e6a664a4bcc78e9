import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { segment, type SegmentOptions } from "./segment.js";

const steps = (text: string, options?: SegmentOptions): string[] => segment(text, options).steps.map((step) => step.text);
const thoughts = (text: string, options?: SegmentOptions): string[] =>
  segment(text, options).thinkSpans.map(({ start, end }) => text.slice(start, end));

describe("segment", () => {
  test("a whole completion", () => {
    const text = "<think>The image is a CT. 1. The liver is dark.</think>\n<answer> fatty liver </answer>";
    expect(segment(text)).toEqual({
      answer: "fatty liver",
      steps: [
        { text: "The image is a CT.", start: 7, end: 25 },
        { text: "1. The liver is dark.", start: 26, end: 47 },
      ],
      thinkSpans: [{ start: 7, end: 47 }],
    });
  });

  test("the other tag is not a think tag", () => {
    const text = "<thinking>One. Two.</thinking><answer>x</answer>";
    expect(steps(text)).toEqual([]);
    expect(steps(text, { thinkTag: "thinking" })).toEqual(["One.", "Two."]);
    expect(steps("<think>One.</think>", { thinkTag: "thinking" })).toEqual([]);
  });

  test("tags are read without regard to case", () => {
    expect(segment("<THINK>One.</Think><Answer>x</ANSWER>")).toMatchObject({ answer: "x", steps: [{ text: "One." }] });
  });

  test("several think blocks; a sentence ends with its block", () => {
    expect(steps("<think>One</think> aside <think>two.</think><answer>x</answer>")).toEqual(["One", "two."]);
    expect(steps("<think>One.<think>Two.</think>")).toEqual(["One.", "Two."]);
  });

  test("missing opening tag: the prompt had opened it", () => {
    expect(steps("One. Two.</think><answer>x</answer>")).toEqual(["One.", "Two."]);
    expect(steps("One.</think> aside <think>Two.</think>")).toEqual(["One.", "Two."]);
    expect(steps("<think>One.</think> aside </think>")).toEqual(["One."]);
  });

  test("no tag at all: think text only where the prompt had opened it", () => {
    expect(steps("One. Two.")).toEqual([]);
    expect(steps("One. Two.", { opened: true })).toEqual(["One.", "Two."]);
    expect(steps("One. <answer>x</answer>", { opened: true })).toEqual(["One."]);
    expect(steps("<think>One.</think>Two.", { opened: true })).toEqual(["One."]);
  });

  test("missing closing tag: the text was cut", () => {
    expect(segment("<think>One. Two is")).toMatchObject({ answer: null, steps: [{ text: "One." }, { text: "Two is" }] });
    expect(steps("<think>One. <answer>x")).toEqual(["One."]);
  });

  test("a tag cut by the end of the text is no think text", () => {
    expect(thoughts("<think>One. Two</thi")).toEqual(["One. Two"]);
    expect(thoughts("<think>One. <ans")).toEqual(["One. "]);
    expect(thoughts("<think>One <")).toEqual(["One "]);
    expect(thoughts("<think>Size <3 cm")).toEqual(["Size <3 cm"]);
    expect(segment("<answer>liver</ans").answer).toBe("liver");
    expect(segment("<answer>liver</answer").answer).toBe("liver");
  });

  test("text from the answer tag on never counts", () => {
    expect(steps("<think>One.<answer>x</answer> Two.</think>")).toEqual(["One."]);
    expect(steps("<answer>x</answer><think>One.</think>")).toEqual([]);
    expect(steps("<think>One.</think><answer>x</answer><think>Two.</think>")).toEqual(["One."]);
  });

  test("the answer: first tag, up to its closing tag or the end", () => {
    expect(segment("<answer>a</answer><answer>b</answer>").answer).toBe("a");
    expect(segment("<answer>a b").answer).toBe("a b");
    expect(segment("<answer></answer>").answer).toBe("");
    expect(segment("<answer>a\nb</answer>").answer).toBe("a\nb");
    expect(segment("a</answer>").answer).toBeNull();
    expect(segment("").answer).toBeNull();
  });

  test("blank blocks have no steps", () => {
    expect(segment("<think> \n\t</think><answer>x</answer>")).toEqual({ answer: "x", steps: [], thinkSpans: [] });
  });

  test("offsets are UTF-16", () => {
    const { steps: found } = segment("<think>🫁 clear. 心臓 ok.</think>");
    expect(found).toEqual([
      { text: "🫁 clear.", start: 7, end: 16 },
      { text: "心臓 ok.", start: 17, end: 23 },
    ]);
  });

  test("any text: steps are slices, in order, inside the think spans, and cover their non-blank characters", () => {
    const part = fc.constantFrom("<think>", "</think>", "<answer>", "</answer>", "<thi", "One.", " two", "e.g.", "\n", "<", "é🫁", "3.5 cm. The");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 14 }), fc.boolean(), (parts, opened) => {
        const text = parts.join("");
        const { steps: found, thinkSpans } = segment(text, { opened });
        let end = 0;
        for (const step of found) {
          expect(step.start).toBeGreaterThanOrEqual(end);
          expect(text.slice(step.start, step.end)).toBe(step.text);
          end = step.end;
        }
        const inside = thinkSpans.map((span) => text.slice(span.start, span.end)).join("");
        expect(found.map((step) => step.text).join("").replace(/\s/g, "")).toBe(inside.replace(/\s/g, ""));
        expect(inside.toLowerCase()).not.toMatch(/<\/?think>|<answer>/);
        const answerAt = text.search(/<answer>/i);
        if (answerAt >= 0) expect(end).toBeLessThanOrEqual(answerAt);
      }),
      { numRuns: 2000 },
    );
  });
});

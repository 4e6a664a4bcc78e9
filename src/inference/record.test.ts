import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { datasetOf, readInferenceFile, splitCompletion, writeInferenceFile } from "./record.js";

const folder = mkdtempSync(join(tmpdir(), "breakwater-record-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Written by the reference's own parse_output (interop/reference_eval.py). */
const fixture = join(import.meta.dirname, "../../interop/fixtures/evaluation/inference.json");
interface Row {
  readonly text: string;
  readonly think: string | null;
  readonly answer: string | null;
}

describe("completions", () => {
  it("split as the reference splits them, an open tag apart", () => {
    const rows = JSON.parse(readFileSync(fixture, "utf8")) as Row[];
    expect(rows.length).toBeGreaterThan(5);
    for (const { text, think, answer } of rows) expect(splitCompletion(text)).toEqual({ think: think?.replace(/^<thinking>/, ""), answer });
  });

  it.each([
    ["<think>A. B.</think><answer>x</answer>", "A. B.", "x"],
    ["<thinking>A.", "A.", null],
    ["A. B.</think><answer>x", "A. B.", "x"],
    ["No tags at all.", "No tags at all.", null],
    ["<answer>x</answer>", null, "x"],
    ["<think>A.</think><answer></answer>", "A.", null],
    ["", null, null],
  ])("%j: reasoning %j, answer %j", (text, think, answer) => {
    expect(splitCompletion(text)).toEqual({ think, answer });
  });
});

describe("inference files", () => {
  it("of the reference are read as they are, with the data set that the image lies in", () => {
    const rows = readInferenceFile(fixture);
    expect(rows.map(datasetOf)).toEqual(["vqa-rad", "vqa-rad", "slake", "slake", "pathvqa", "pathvqa", "pathvqa"]);
    expect(rows[0]).toMatchObject({ problem: "Which organ is shown?", solution: "Liver", answer: "the liver" });
    expect(rows[5]).toMatchObject({ think: "The stain is pink and blue. It could be", answer: null });
  });

  it("are written with the reference's keys first and read back", () => {
    const path = join(folder, "o.json");
    const record = { problem: "Q?", image: null, solution: "4", text: "<think>A.</think><answer>vier – 4</answer>", think: "A.", answer: "vier – 4", dataset: "d", id: "1", sample: 2, tokens: 9, truncated: false };
    const failed = { problem: "P?", image: "/i.png", solution: "x", text: null, think: null, answer: null, failed: "HTTP 500" };
    writeInferenceFile(path, [record, failed]);
    expect(Object.keys((JSON.parse(readFileSync(path, "utf8")) as object[])[0]).slice(0, 6)).toEqual(["problem", "image", "solution", "text", "think", "answer"]);
    expect(readFileSync(path, "utf8")).toContain("vier – 4");
    expect(readInferenceFile(path)).toEqual([record, failed]);
  });

  it("take numbers for texts and other names of the reasoning", () => {
    const path = join(folder, "numbers.json");
    writeFileSync(path, JSON.stringify([{ problem: "How many?", image: "a.png", solution: 4, answer: 4, generated_reasoning: "Four." }]));
    expect(readInferenceFile(path)).toMatchObject([{ solution: "4", answer: "4", think: "Four.", text: null }]);
  });

  it.each([
    ["[]", /holds no row/],
    ['{"a":1}', /an object, not a list/],
    ['[{"problem":"Q?","answer":"x"},{"image":"a.png","answer":"x"}]', /row \[1\] has no "problem"/],
    ['[{"problem":"Q?","image":"a.png","solution":"x"}]', /row \[0\] has neither "text" nor "think" nor "answer"/],
    ['[{"problem":"Q?","image":5,"text":"x"}]', /row \[0\] "image":/],
    ['[{"problem":"Q?","answer":NaN}]', /\[0\]\.answer is NaN/],
  ])("%s is refused by place", (text, message) => {
    const path = join(folder, "bad.json");
    writeFileSync(path, text);
    expect(() => readInferenceFile(path)).toThrow(message);
  });
});

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseImageConfig, prepareImage } from "../images/qwen-vl.js";
import { UserError } from "../util/errors.js";
import { loadDataset, type LoadDatasetOptions } from "./dataset.js";
import { splitByImage } from "./split.js";
import { imageKey, isYesNo, normaliseText, splitTags, withoutTags } from "./text-match.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bw-data-"));
  mkdirSync(join(dir, "images"));
  for (const name of ["a.png", "b.png", "c.jpg"]) writeFileSync(join(dir, "images", name), "x");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function put(name: string, rows: unknown): string {
  const path = join(dir, name);
  writeFileSync(path, typeof rows === "string" ? rows : JSON.stringify(rows));
  return path;
}

function refusal(path: string, options?: LoadDatasetOptions): string {
  try {
    loadDataset(path, options);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return String(error);
  }
  throw new Error("it was accepted");
}

const rows = [
  { image: "images/a.png", problem: "What organ ?", solution: "Lung" },
  { image: "b.png", problem: "Is it normal?", solution: "Yes" },
  { image: "images/c.jpg", problem: "How many?", solution: 4 },
  { image: null, problem: "What is a T2-weighted MRI?", solution: "<think>It is a sequence.</think> <answer> a sequence </answer>", id: "own", kind: "text", meta: { x: 1 } },
];

describe("the reference's format", () => {
  it("is read in order, from a folder or a file, with the optional fields", () => {
    put("train.json", rows);
    const { examples, report } = loadDataset(dir);
    expect(examples.map(({ id, answer }) => [id, answer])).toEqual([["train-0", "Lung"], ["train-1", "Yes"], ["train-2", "4"], ["own", "a sequence"]]);
    expect(examples.map(({ image }) => image)).toEqual([join(dir, "images/a.png"), join(dir, "images/b.png"), join(dir, "images/c.jpg"), null]);
    expect(examples[3]).toMatchObject({ goldReasoning: "It is a sequence.", kind: "text", meta: { x: 1 } });
    expect(report).toMatchObject({ format: "reference", rows: 4, kept: 4, withReasoning: 1, leftOut: { yesNo: 0, overLimit: 0 } });
    expect(loadDataset(join(dir, "train.json")).examples).toEqual(examples);
  });

  it("joins gold reasoning by image name, question and answer, whatever their case and blanks", () => {
    put("train.json", rows);
    put("train-reasoning.json", [
      { image_path: "/elsewhere/A.PNG", question: "what  organ?", answer: "lung", solution: "<think>The image is an X-ray.</think><answer>lung</answer>" },
      { image_path: "/elsewhere/a.png", question: "What organ?", answer: "lung", solution: "a second one is not used" },
      { image_path: "c.jpg", question: "How many?", answer: 4, solution: "There are four.\n<answer>4</answer>" },
      { image_path: "c.jpg", question: "How many?", answer: "5", solution: "Wrong answer, no match." },
    ]);
    const { examples, report } = loadDataset(dir);
    expect(examples.map((e) => e.goldReasoning)).toEqual(["The image is an X-ray.", null, "There are four.", "It is a sequence."]);
    expect(report).toMatchObject({ withReasoning: 3, unusedReasoning: 1, files: [join(dir, "train.json"), join(dir, "train-reasoning.json")] });
  });

  it("filters and limits, and reports what was left out", () => {
    put("train.json", rows);
    const { examples, report } = loadDataset(dir, { openEndedOnly: true, limit: 2 });
    expect(examples.map(({ answer }) => answer)).toEqual(["Lung", "4"]);
    expect(report.leftOut).toEqual({ yesNo: 1, overLimit: 1 });
    put("closed.json", [rows[1]]);
    expect(refusal(join(dir, "closed.json"), { openEndedOnly: true })).toMatch(/gives no example: 1 rows, 1 of them/);
    expect(refusal(dir, { limit: 0 })).toMatch(/limit of examples is 0/);
  });

  it("finds images by file name in a given folder when their path is another machine's", () => {
    put("train.json", [{ image: "/gone/away/a.png", problem: "q", solution: "s" }]);
    expect(loadDataset(dir, { imageRoot: join(dir, "images") }).examples[0].image).toBe(join(dir, "images/a.png"));
  });
});

describe("refused data", () => {
  const ok = rows[0];
  it.each<[string, unknown, RegExp]>([
    ["a missing field", [ok, { image: "images/a.png", problem: "q" }], /row \[1\] has no "solution"/],
    ["a null answer", [{ ...ok, solution: null }], /row \[0\] "solution": must be a text or a number/],
    ["an empty question", [{ ...ok, problem: "  " }], /"problem": is empty/],
    ["a row that is no object", [ok, 7], /row \[1\] is not an object/],
    ["NaN", '[{"image": "images/a.png", "problem": "NaN in a \\"text\\" is fine", "solution": "x"}, {"image": null, "problem": "q", "solution": NaN}]', /: \[1\]\.solution is NaN/],
    ["-Infinity within meta", '[{"image": null, "problem": "q", "solution": "s", "meta": {"a": [1, -Infinity]}}]', /: \[0\]\.meta\.a\[1\] is -Infinity/],
    ["a duplicate id", [{ ...ok, id: "x" }, ok, { ...ok, id: "x" }], /rows \[0\] and \[2\] have the same id "x"/],
    ["an image that is not there", [{ ...ok, image: "images/z.png" }], /row \[0\] "image" names "images\/z\.png", and there is no .*z\.png/],
    ["broken JSON", '[{"image": }]', /is not valid JSON/],
    ["an object", { a: 1 }, /holds an object, not a list/],
    ["unknown keys", [{ foo: 1 }], /in no known format \(keys of its first row: foo\)/],
    ["no rows", [], /in no known format/],
  ])("%s", (_, content, message) => {
    const path = put("bad.json", content);
    expect(refusal(path)).toMatch(message);
    expect(refusal(path)).toContain(path);
  });

  it("a missing file, folder or split", () => {
    put("test.json", rows);
    expect(refusal(join(dir, "none"))).toMatch(/There is no data set at/);
    expect(refusal(dir)).toMatch(/has no split "train".*It has: test\.json/);
  });

  it("a bad row of the reasoning file", () => {
    put("train.json", rows);
    const path = put("train-reasoning.json", [{ image_path: "a.png", question: "q", answer: "a" }]);
    expect(refusal(dir)).toContain(`${path}: row [0] has no "solution"`);
  });
});

describe("VQA-RAD's format", () => {
  const row = { qid: 7, image_name: "a.png", image_organ: "CHEST ", question: "What plane? ", answer: " axial", answer_type: "OPEN ", question_type: "PLANE", phrase_type: "freeform" };

  it("takes numbers, and drops blanks at the ends", () => {
    put("train.json", [row, { ...row, qid: 8, answer: 4 }, { ...row, qid: 9, answer: "No " }]);
    const { examples, report } = loadDataset(dir, { openEndedOnly: true });
    expect(report).toMatchObject({ format: "vqa-rad", rows: 3, kept: 2, leftOut: { yesNo: 1 } });
    expect(examples[0]).toEqual({
      id: "vqa-rad-7", image: join(dir, "images/a.png"), question: "What plane?", answer: "axial", goldReasoning: null,
      kind: "plane", meta: { organ: "CHEST", answerType: "OPEN", phraseType: "freeform" },
    });
    expect(examples[1].answer).toBe("4");
  });

  it("refuses a second qid", () => {
    put("train.json", [row, row]);
    expect(refusal(dir)).toMatch(/same id "vqa-rad-7"/);
  });

  const real = join(import.meta.dirname, "../../../shared/data/vqa-rad");
  it.skipIf(!existsSync(real))("reads the real data set (skipped where ../shared/data/vqa-rad is not there)", async () => {
    const test = loadDataset(real, { split: "test", openEndedOnly: true });
    expect([test.report.rows, test.report.kept]).toEqual([451, 200]);
    const train = loadDataset(real, { split: "train" });
    expect(train.report).toMatchObject({ rows: 3064, kept: 3064 });
    expect(train.examples.every(({ answer }) => answer === answer.trim() && answer !== "")).toBe(true);
    // Every eighth picture all the way to patches; they come in every size.
    const images = [...new Set(train.examples.map(({ image }) => image ?? ""))].filter((_, i) => i % 8 === 0);
    const config = parseImageConfig({ patch_size: 8, min_pixels: 1024, max_pixels: 4096 }, "test");
    for (const image of images) expect((await prepareImage(image, config)).tokenCount).toBeGreaterThan(3);
  }, 60_000);
});

describe("splitByImage", () => {
  const examples = Array.from({ length: 400 }, (_, i) => ({ id: `e${i}`, image: `/x/${Math.floor(i / 2)}.png`, question: "q", answer: "a", goldReasoning: null }));

  it("keeps an image in one part, near the share, the same for the same seed", () => {
    const { train, heldOut } = splitByImage(examples, { share: 0.25, seed: 3 });
    expect(train.length + heldOut.length).toBe(400);
    expect(heldOut.length).toBeGreaterThan(60);
    expect(heldOut.length).toBeLessThan(140);
    const trained = new Set(train.map(({ image }) => image));
    expect(heldOut.some(({ image }) => trained.has(image))).toBe(false);
    expect(splitByImage(examples, { share: 0.25, seed: 3 }).heldOut).toEqual(heldOut);
    expect(splitByImage(examples, { share: 0.25, seed: 4 }).heldOut).not.toEqual(heldOut);
    const fewer = new Set(splitByImage(examples.slice(100), { share: 0.25, seed: 3 }).heldOut);
    expect(heldOut.slice(-20).every((example) => fewer.has(example))).toBe(true);
  });

  it("takes 0 and 1, and refuses what is outside", () => {
    expect(splitByImage(examples, { share: 0, seed: 1 }).heldOut).toEqual([]);
    expect(splitByImage(examples, { share: 1, seed: 1 }).train).toEqual([]);
    expect(() => splitByImage(examples, { share: 1.5, seed: 1 })).toThrow(UserError);
    expect(() => splitByImage(examples, { share: NaN, seed: 1 })).toThrow(UserError);
  });
});

describe("text matching", () => {
  it("folds what differs between files", () => {
    expect(normaliseText("  What is  THIS ?\n")).toBe("what is this?");
    expect(imageKey("imgs/xmlab12/source.jpg")).toBe("xmlab12_source.jpg");
    expect(imageKey("C:\\data\\A.png")).toBe("a.png");
    expect(["Yes", "no.", " NO "].every(isYesNo)).toBe(true);
    expect(["None", "Not seen here", "nodules", "yes and no"].some(isYesNo)).toBe(false);
  });

  it("takes tags apart, closed or cut off", () => {
    expect(splitTags("<think>a</think><answer>b</answer>")).toEqual({ reasoning: "a", answer: "b" });
    expect(splitTags("<thinking>a <answer>b")).toEqual({ reasoning: "a", answer: "b" });
    expect(splitTags("plain")).toEqual({ reasoning: null, answer: null });
    expect(withoutTags("Reason.\n<answer>b</answer>")).toBe("Reason.");
  });
});

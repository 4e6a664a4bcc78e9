import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadDataset } from "../src/datasets/dataset.js";
import { drawScene, encodePng, phantomExample, sceneOf, verifyExample, writePhantomDataset } from "../src/datasets/phantom/index.js";
import { phantomJudge } from "../src/judges/phantom.js";
import { segment } from "../src/steps/segment.js";

let root: string;
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), "phantom-"))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it("a phantom written to files is read back like any data set, and its judge finds its gold chains valid", async () => {
  const dir = join(root, "phantom");
  await writePhantomDataset(dir, { seed: 2, train: 30, test: 20, size: 64, difficulty: "normal" });
  const judge = phantomJudge(verifyExample);
  for (const split of ["train", "test"] as const) {
    const { examples, report } = loadDataset(dir, { split });
    expect([report.format, report.kept, report.withReasoning, report.unusedReasoning]).toEqual([
      "reference", split === "train" ? 30 : 20, split === "train" ? 30 : 20, 0,
    ]);
    for (const [index, example] of examples.entries()) {
      const { example: made, scene } = phantomExample(2, split, index);
      expect(example).toEqual({ ...made, image: join(dir, "images", `${made.id}.png`) });
      expect(sceneOf(example)?.scene).toEqual(scene);
      expect(readFileSync(example.image ?? "")).toEqual(await encodePng(drawScene(scene), 64));
      const text = `<think>${example.goldReasoning ?? ""}</think><answer>${example.answer}</answer>`;
      const { steps, answer } = segment(text);
      expect(answer).toBe(example.answer);
      const [verdict] = await judge.judge([{ example, text, steps, answer }]);
      expect(verdict.status === "judged" && verdict.steps.length === 6 && verdict.steps.every((step) => step.valid)).toBe(true);
    }
  }
});

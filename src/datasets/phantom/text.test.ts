import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadDataset } from "../dataset.js";
import { phantomExample } from "./example.js";
import { writePhantomDataset } from "./write.js";

const root = mkdtempSync(join(tmpdir(), "breakwater-text-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the phantom in words", () => {
  const dir = join(root, "data");

  it("asks the same questions of the same scenes, the findings before them and no picture", async () => {
    await writePhantomDataset(dir, { train: 12, test: 3, text: true });
    const { examples } = loadDataset(dir, { split: "train" });
    expect(examples).toHaveLength(12);
    expect(existsSync(join(dir, "images"))).toBe(false);
    examples.forEach((example, index) => {
      const { example: pictured, scene } = phantomExample(1, "train", index);
      const { image, question, answer, goldReasoning, kind, meta, id } = example;
      expect({ image, answer, goldReasoning, kind, meta, id }).toEqual({ ...pictured, question: undefined });
      const [findings, asked] = question.split("\n");
      expect(asked).toBe(pictured.question);
      for (const slot of ["modality", "region", "side", "zone", "organ", "kind", "count", "size"] as const) expect(findings).toContain(scene.facts[slot]);
    });
  });

  it("is kept where it stands, and is another data set than the pictures", async () => {
    expect((await writePhantomDataset(dir, { train: 12, test: 3, text: true })).written).toBe(false);
    await expect(writePhantomDataset(dir, { train: 12, test: 3 })).rejects.toThrow(/text true, not false/);
  });
});

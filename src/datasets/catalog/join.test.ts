import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadDataset } from "../dataset.js";
import { writeJoin } from "./join-files.js";
import { flatName } from "./join.js";
import { foldText, matchText, pyStr } from "./python-text.js";

const fixtures = fileURLToPath(new URL("../../../interop/fixtures/mrpo-join", import.meta.url));
const outputs = ["Medthink/medthink_train.json", "Medthink/medthink_test.json", "Data_Preprocessed/train_open_ended.json", "Data_Preprocessed/test_open_ended.json"];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bw-join-"));
  cpSync(join(fixtures, "input"), dir, { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function picture(path: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), "x");
}

describe("the join", () => {
  it.each(outputs)("writes %s byte for byte as the reference's scripts do", (name) => {
    writeJoin(dir);
    expect(readFileSync(join(dir, name), "utf8").replaceAll(dir, "DATA_DIR")).toBe(readFileSync(join(fixtures, "expected", name), "utf8"));
  });

  it("writes examples that are read back, with reasoning and kind, and accounts for every row", () => {
    for (const path of ["vqa-rad/images/synpic1.jpg", "vqa-rad/images/synpic2.jpg", "slake/images/xmlab1/source.jpg", "slake/images/xmlab7/source.jpg", "vqa-rad/images/synpic9.jpg"]) picture(`Data_RAW/${path}`);
    const report = writeJoin(dir);
    const { examples } = loadDataset(join(dir, "examples"), { split: "train" });
    expect(examples.map(({ id, image }) => [id, image])).toEqual([
      ["vqa-rad-train-0", join(dir, "Data_RAW/vqa-rad/images/synpic1.jpg")],
      ["vqa-rad-train-1", join(dir, "Data_RAW/vqa-rad/images/synpic2.jpg")],
      ["vqa-rad-train-2", join(dir, "Data_RAW/vqa-rad/images/synpic2.jpg")],
      ["slake-train-0", join(dir, "Data_RAW/slake/images/xmlab1/source.jpg")],
    ].map(([id, image]) => [id, image]).concat([]));
    expect(examples[0]).toMatchObject({ question: "where is  the mass?", answer: "left lower lobe", goldReasoning: "First, a film.\nThen a mass.", meta: { dataset: "vqa-rad", split: "train" } });
    expect(examples[3].kind).toBe("organ");
    const test = loadDataset(join(dir, "examples"), { split: "test" }).examples;
    expect(test.find(({ id }) => id === "vqa-rad-test-0")?.goldReasoning).toBe("Other case: stays; the later one counts in the evaluation.");
    expect(test.find(({ id }) => id === "slake-test-0")).toMatchObject({ goldReasoning: "Axial slices.", kind: "plane" });

    const rad = report?.train["vqa-rad"];
    expect(rad?.examples).toBe(3);
    expect(rad?.dropped).toMatchObject({ "rationale for a yes-or-no question": 1, "rationale without image or question": 2 });
    // Rows that are objects: 12; every one is kept or dropped.
    const before = Object.entries(rad?.dropped ?? {}).filter(([reason]) => reason.startsWith("rationale") || reason.startsWith("second")).reduce((sum, [, n]) => sum + n, 0);
    expect((rad?.kept ?? 0) + before).toBe(12);
    const lines = readFileSync(join(dir, "examples/dropped.jsonl"), "utf8").trim().split("\n");
    const counted = (["train", "test"] as const).flatMap((split) => Object.values(report?.[split] ?? {}).flatMap((set) => Object.values(set.dropped)));
    expect(counted.reduce((sum, n) => sum + n, 0)).toBe(lines.length);
  });

  it("makes what it can of the sets that are here, and nothing of none", () => {
    rmSync(join(dir, "Data_RAW/pathvqa"), { recursive: true });
    rmSync(join(dir, "Medthink"), { recursive: true });
    expect(writeJoin(dir)?.missing).toEqual(["pathvqa", "medthink"]);
    expect(existsSync(join(dir, "examples/train.jsonl"))).toBe(false);
    rmSync(join(dir, "Data_RAW"), { recursive: true });
    expect(writeJoin(dir)).toBeNull();
  });
});

describe("texts as Python makes them", () => {
  it("str, folding and matching", () => {
    expect([null, true, 4, ["a", "it's"], { k: [1, null] }].map(pyStr)).toEqual(["None", "True", "4", `['a', "it's"]`, "{'k': [1, None]}"]);
    expect(foldText("\u00a0 A \u3000\tb\x1f ")).toBe("a b");
    expect(foldText("\ufeffA")).toBe("\ufeffa");
    expect(matchText("What ? a , b ;c")).toBe("what? a, b;c");
    expect(flatName("imgs\\xmlab12\\source.jpg")).toBe("xmlab12_source.jpg");
    expect(flatName("xmlab3_source.jpg")).toBe("xmlab3_source.jpg");
  });
});

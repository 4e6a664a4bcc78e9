import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tabularConfig, tabularParts } from "../../test/support/tabular-task.js";
import { openRun } from "../store/reader.js";
import { silentDisplay } from "../training/display.js";
import { train } from "../training/run.js";
import type { TrainConfigInput } from "../training/schema.js";
import { collectRuns } from "./collect.js";

let folder: string;
const dirs: string[] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "breakwater-collect-"));
  const kinds: TrainConfigInput[] = [{ seed: 1 }, { seed: 2 }, { seed: 1, shaping: { decay: "linear" } }, { seed: 1, method: "sft" }];
  for (const [i, changes] of kinds.entries()) {
    const config = tabularConfig(join(folder, String(i)), { steps: 6, evaluation: { every: 3, questions: 8 }, ...changes });
    const { dir } = await train(config, { makeParts: (c) => Promise.resolve(tabularParts(c)), display: silentDisplay });
    dirs.push(dir);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("collectRuns", () => {
  it("takes records as they are and chains of the first and the last steps", () => {
    const [run] = collectRuns(dirs.slice(0, 1), { lastSteps: 2, chainsPerRun: 1000 });
    expect(run).toMatchObject({ name: "0", method: "mrpo", seed: 1, final: null });
    const reader = openRun(dirs[0]);
    expect(run.metrics).toEqual(reader.metrics());
    expect(run.evaluations.map(({ step }) => step)).toEqual([0, 3, 6]);
    const steps = new Set(run.gallery.map(({ label }) => /step (\d+)/.exec(label)?.[1]));
    expect([...steps].sort()).toEqual(["1", "5", "6"]);
    const stored = reader.rollouts().map(({ text }) => text);
    for (const chain of run.gallery) {
      expect(stored).toContain(chain.text);
      expect(chain.tokens?.advantages).toHaveLength(chain.tokens?.offsets.length ?? -1);
      expect(chain.correct).toBe(chain.answer === chain.example.answer);
    }
    reader.close();
  });

  it("averages seeds of the same thing only: a differing setting is part of the name", () => {
    expect(collectRuns(dirs.slice(0, 2)).map(({ method }) => method)).toEqual(["mrpo", "mrpo"]);
    const methods = collectRuns(dirs.slice(0, 3)).map(({ method }) => method);
    expect(methods[0]).toBe(methods[1]);
    expect(methods).toEqual([expect.stringContaining("decay exponential"), methods[0], expect.stringContaining("decay linear")]);
  });

  it("a run without rollouts has no gallery", () => {
    const [run] = collectRuns(dirs.slice(3));
    expect(run.gallery).toEqual([]);
    expect(run.metrics).toHaveLength(6);
  });

  it("keeps no more chains than asked", () => {
    expect(collectRuns(dirs.slice(0, 1), { chainsPerRun: 5 })[0].gallery).toHaveLength(5);
  });
});

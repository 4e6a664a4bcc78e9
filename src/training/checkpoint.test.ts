import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TabularEngine } from "../../test/support/tabular-engine.js";
import { tabularConfig, tabularParts } from "../../test/support/tabular-task.js";
import { openRun } from "../store/reader.js";
import { newestCheckpoint, saveCheckpoint, verifyCheckpoint, type TrainerState } from "./checkpoint.js";
import { silentDisplay, type Display } from "./display.js";
import { resume, train } from "./run.js";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "breakwater-checkpoint-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const stateAt = (step: number): TrainerState => ({ format: 1, step, epoch: 0, rollouts: 0, tokens: 0, configHash: "c", dataHash: "d" });

function engine(): TabularEngine {
  return new TabularEngine({ vocabulary: ["a", "b"], prior: () => [0, 0], positions: 1 });
}

describe("checkpoints", () => {
  it("keeps the newest ones and leaves no temporary name behind", async () => {
    for (const step of [1, 2, 3]) await saveCheckpoint(folder, engine(), stateAt(step), { keep: 2, pending: [] });
    expect(readdirSync(join(folder, "checkpoints")).sort()).toEqual(["step-000002", "step-000003"]);
    expect(newestCheckpoint(folder)).toMatchObject({ found: { state: { step: 3 } }, refused: [] });
  });

  it("takes the one before for every way of damage, and says which file and why", async () => {
    const damages: readonly (readonly [string, RegExp, (dir: string) => void])[] = [
      ["torn", /weights.json: \d+ bytes where the manifest has \d+: torn/, (dir) => truncateSync(join(dir, "engine/weights.json"), 1)],
      ["altered", /first.json: its SHA-256 is not the manifest's/, (dir) => flipByte(join(dir, "engine/optimizer/first.json"))],
      ["altered state", /trainer-state.json: its SHA-256/, (dir) => flipByte(join(dir, "trainer-state.json"))],
      ["missing", /second.json: missing/, (dir) => rmSync(join(dir, "engine/optimizer/second.json"))],
      ["added", /extra.bin: not in the manifest/, (dir) => writeFileSync(join(dir, "engine/extra.bin"), "")],
      ["no manifest", /manifest.json: cannot be read/, (dir) => rmSync(join(dir, "manifest.json"))],
      ["half a manifest", /manifest.json: cannot be read/, (dir) => truncateSync(join(dir, "manifest.json"), 20)],
    ];
    for (const [name, message, damage] of damages) {
      const run = join(folder, name);
      mkdirSync(run);
      await saveCheckpoint(run, engine(), stateAt(1), { keep: 5, pending: [] });
      damage(await saveCheckpoint(run, engine(), stateAt(2), { keep: 5, pending: [] }));
      const { found, refused } = newestCheckpoint(run);
      expect(found?.state.step, name).toBe(1);
      expect(refused).toHaveLength(1);
      expect(refused[0]).toMatch(message);
      expect(() => verifyCheckpoint(join(run, "checkpoints/step-000002"))).toThrow(message);
    }
  });

  it("a failed save (full disk) leaves the earlier ones whole and nothing half-written", async () => {
    await saveCheckpoint(folder, engine(), stateAt(1), { keep: 1, pending: [] });
    const broken = engine();
    broken.save = (dir) => {
      writeFileSync(join(dir, "weights.json"), "[");
      return Promise.reject(Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }));
    };
    await expect(saveCheckpoint(folder, broken, stateAt(2), { keep: 1, pending: [] })).rejects.toThrow("ENOSPC");
    expect(readdirSync(join(folder, "checkpoints"))).toEqual(["step-000001"]);
    expect(newestCheckpoint(folder)).toMatchObject({ found: { state: { step: 1 } }, refused: [] });
  });
});

describe("resume", () => {
  const messages: string[] = [];
  const display: Display = { ...silentDisplay, message: (text) => messages.push(text) };
  const options = { makeParts: (c: Parameters<typeof tabularParts>[0]) => Promise.resolve(tabularParts(c)), display };

  async function stopped(step: number): Promise<string> {
    messages.length = 0;
    let asked = 0;
    const config = tabularConfig(join(folder, "run"), { steps: 8, checkpoint: { every: 2, keep: 3 } });
    return (await train(config, { ...options, stopRequested: () => ++asked === step })).dir;
  }

  it("goes back past a torn checkpoint, makes its steps again and ends the same", async () => {
    const straight = await train(tabularConfig(join(folder, "straight"), { steps: 8, checkpoint: { every: 2, keep: 3 } }), options);
    const dir = await stopped(6);
    truncateSync(join(dir, "checkpoints/step-000006/engine/weights.json"), 10);
    expect(await resume(dir, options)).toMatchObject({ state: "finished", step: 8 });
    expect(messages.join("\n")).toMatch(/checkpoint refused: .*step-000006.*torn[^]*after step 4 of 8/);
    for (const name of ["metrics.jsonl", "evaluations.jsonl", "model/weights.json", "checkpoints/step-000006/engine/weights.json"]) {
      expect(readFileSync(join(dir, name), "utf8"), name).toBe(readFileSync(join(straight.dir, name), "utf8"));
    }
  });

  it("without a whole checkpoint it starts again from the start policy", async () => {
    const dir = await stopped(2);
    rmSync(join(dir, "checkpoints/step-000002/manifest.json"));
    expect(await resume(dir, options)).toMatchObject({ step: 8 });
    expect(openRun(dir).metrics().map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(openRun(dir).evaluations().map(({ step }) => step)).toEqual([0, 4, 8]);
  });

  it("drops torn and later lines of the records", async () => {
    const dir = await stopped(4);
    appendFileSync(join(dir, "metrics.jsonl"), '{"step":5,"epoch":0}\n{"step":6,"lo');
    expect(openRun(dir).metrics()).toHaveLength(5);
    await resume(dir, options);
    expect(openRun(dir).metrics().map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("refuses a changed configuration, changed data and a folder that is no run", async () => {
    const dir = await stopped(2);
    const encoder = { name: "another encoder", f1: (pairs: readonly unknown[]) => Promise.resolve(pairs.map(() => 0.5)) };
    const scored = { ...options, makeParts: (c: Parameters<typeof tabularParts>[0]) => Promise.resolve({ ...tabularParts(c), encoder }) };
    await expect(resume(dir, scored)).rejects.toThrow(/answers were scored by lexical \(no BERTScore encoder\), now by lexical and another encoder; bring the encoder back/);
    const other = { ...options, makeParts: (c: Parameters<typeof tabularParts>[0]) => Promise.resolve({ ...tabularParts(c), examples: tabularParts(c).examples.slice(1) }) };
    await expect(resume(dir, other)).rejects.toThrow(/training data are not those of the checkpoint/);
    const file = join(dir, "config.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"seed": 3', '"seed": 4'));
    await expect(resume(dir, options)).rejects.toThrow(/config.json: changed since the checkpoint was made/);
    await expect(resume(join(folder, "nowhere"), options)).rejects.toThrow(/nowhere: not a run folder/);
  });

  it("a full disk ends in a message with the way out; what was there stays and the run can go on", async () => {
    const config = tabularConfig(join(folder, "full"), { steps: 8, checkpoint: { every: 2, keep: 3 } });
    let saves = 0;
    const full = {
      ...options,
      makeParts: (c: Parameters<typeof tabularParts>[0]) => {
        const parts = tabularParts(c);
        const save = parts.engine.save.bind(parts.engine);
        parts.engine.save = (dir, what) =>
          ++saves < 3 ? save(dir, what) : Promise.reject(Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }));
        return Promise.resolve(parts);
      },
    };
    await expect(train(config, full)).rejects.toThrow(/the disk is full .*breakwater train --resume /);
    const reader = openRun(join(folder, "full"));
    expect(reader.status()).toMatchObject({ state: "failed", step: 6 });
    expect(reader.checkpoints().map(({ step }) => step)).toEqual([2, 4]);
    reader.close();
    expect(await resume(join(folder, "full"), options)).toMatchObject({ state: "finished", step: 8 });
  });
});

function flipByte(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 2] ^= 1;
  writeFileSync(path, bytes);
}

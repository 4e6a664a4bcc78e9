import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JsonLinesWriter, readJsonLines, truncateAfter } from "./json-lines.js";
import { lockRun } from "./lock.js";
import { openRun } from "./reader.js";
import { RolloutsDb } from "./rollouts-db.js";
import { RunFolder } from "./run-folder.js";
import type { StoredExample, StoredRollout } from "./types.js";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "breakwater-store-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const example: StoredExample = { id: "a", image: null, question: "q", answer: "x", goldReasoning: null, kind: null };

function rollout(step: number, index = 0, exampleId = "a"): StoredRollout {
  return {
    ...{ step, exampleId, index, text: "naïve 🙂.", answer: null, stopReason: "length" },
    ...{ tokens: [1, 2 ** 31 - 1], offsets: [{ start: 0, end: 5 }, { start: 5, end: 9 }], logprobs: [-0.1, -1e-300] },
    steps: [{ text: "naïve 🙂.", start: 0, end: 9 }],
    verdict: { status: "unscored", reason: "timeout" },
    rewards: { answer: { status: "scored", value: 1 / 3 }, process: { status: "unscored", reason: "timeout" }, length: { status: "scored", value: 0 } },
    ...{ advantage: 0, tokenAdvantages: [0.1 + 0.2, -Math.E] },
  };
}

describe("RolloutsDb", () => {
  it("gives back exactly what was stored, in order, to a reader beside the writer", () => {
    const path = join(folder, "rollouts.sqlite");
    const writer = RolloutsDb.open(path);
    writer.insert([example], [rollout(2, 1), rollout(2, 0)]);
    const reader = RolloutsDb.read(path);
    writer.insert([example, { ...example, id: "b", kind: "count" }], [rollout(1, 0, "b")]);
    expect(reader.rollouts()).toEqual([rollout(1, 0, "b"), rollout(2, 0), rollout(2, 1)]);
    expect(reader.rollouts({ step: 2, limit: 1, offset: 1 })).toEqual([rollout(2, 1)]);
    expect(reader.rollouts({ exampleId: "b" })).toHaveLength(1);
    expect(reader.steps()).toEqual([1, 2]);
    expect(reader.examples(["b", "absent"])).toEqual([{ ...example, id: "b", kind: "count" }]);
    expect(() => reader.insert([], [rollout(9)])).toThrow();
    writer.removeAfter(1);
    expect(reader.steps()).toEqual([1]);
    expect(reader.examples().map(({ id }) => id)).toEqual(["b"]);
    reader.close();
    writer.close();
  });

  it("stores a step wholly or not at all", () => {
    const db = RolloutsDb.open(join(folder, "rollouts.sqlite"));
    expect(() => db.insert([example], [rollout(1, 0), rollout(1, 1), rollout(1, 0)])).toThrow();
    expect(db.rollouts()).toEqual([]);
    db.close();
  });

  it("refuses a file that is no database, and an absent one without making it", () => {
    const path = join(folder, "rollouts.sqlite");
    writeFileSync(path, "not a database, but long enough to be read as a header of one ".repeat(20));
    expect(() => RolloutsDb.open(path)).toThrow(/rollouts.sqlite/);
    expect(() => RolloutsDb.read(join(folder, "absent"))).toThrow(/not found/);
    expect(existsSync(join(folder, "absent"))).toBe(false);
  });
});

describe("JSON Lines", () => {
  it("leaves out a torn end and keeps lines up to a step byte for byte", () => {
    const path = join(folder, "metrics.jsonl");
    const writer = new JsonLinesWriter(path);
    writer.append([{ step: 1, x: 0.1 }, { step: 2 }]);
    writer.flush();
    writer.append([{ step: 3 }]);
    writer.close();
    const whole = readFileSync(path, "utf8");
    appendFileSync(path, '{"step":4,"x":');
    expect(readJsonLines<{ step: number }>(path).map(({ step }) => step)).toEqual([1, 2, 3]);
    truncateAfter(path, 3);
    expect(readFileSync(path, "utf8")).toBe(whole);
    truncateAfter(path, 1);
    expect(readFileSync(path, "utf8")).toBe('{"step":1,"x":0.1}\n');
    expect(readJsonLines(join(folder, "absent"))).toEqual([]);
  });
});

describe("RunFolder", () => {
  it("is refused to a second writer while the first is open, and free afterwards", () => {
    const dir = join(folder, "run");
    const run = RunFolder.create(dir, { seed: 1 });
    run.writeStatus("running", 0, 5);
    expect(() => RunFolder.resume(dir, () => 0)).toThrow(`another training (process ${process.pid}) is writing into this run folder`);
    expect(() => RunFolder.create(dir, {})).toThrow(/another training/);
    expect(openRun(dir).config).toEqual({ seed: 1 });
    run.close();
    expect(() => RunFolder.create(dir, {})).toThrow(/holds a run already; continue it with --resume/);
    RunFolder.resume(dir, () => 0).close();
    lockRun(dir).release();
  });

  it("does not touch a folder that holds something else", () => {
    writeFileSync(join(folder, "thesis.txt"), "all of it");
    expect(() => RunFolder.create(folder, {})).toThrow(/not empty \(thesis.txt/);
    expect(readFileSync(join(folder, "thesis.txt"), "utf8")).toBe("all of it");
    expect(() => openRun(folder)).toThrow(/not a run folder/);
  });
});

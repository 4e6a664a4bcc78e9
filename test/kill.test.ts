import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRun } from "../src/store/reader.js";
import { RandomStream } from "../src/util/random.js";
import { compileForProcess } from "./support/compile.js";

let compiled: string;
let folder: string;
beforeAll(() => {
  compiled = compileForProcess();
  folder = mkdtempSync(join(tmpdir(), "breakwater-kill-"));
});
afterAll(() => {
  rmSync(compiled, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

function start(dir: string, delay: number): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [join(compiled, "test/support/tabular-run.js"), dir, String(delay)]);
  let output = "";
  child.stdout.on("data", (data: Buffer) => (output += data.toString()));
  child.stderr.on("data", (data: Buffer) => (output += data.toString()));
  const ended = new Promise<Ended>((done) => child.on("close", (code, signal) => done({ code, signal, output })));
  return { child, ended };
}

/** Everything of a run that must not depend on interruptions, as comparable values. */
function contents(dir: string): Record<string, unknown> {
  const reader = openRun(dir);
  const files: Record<string, string> = {};
  for (const part of ["model", "checkpoints"]) {
    for (const name of readdirSync(join(dir, part), { recursive: true, encoding: "utf8" })) {
      const path = join(dir, part, name);
      if (statSync(path).isFile()) files[join(part, name)] = readFileSync(path, "latin1");
    }
  }
  const value = {
    metrics: readFileSync(join(dir, "metrics.jsonl"), "utf8"),
    evaluations: readFileSync(join(dir, "evaluations.jsonl"), "utf8"),
    rollouts: reader.rollouts(),
    examples: reader.examples(),
    timed: reader.timings().map(({ step }) => step),
    files,
  };
  reader.close();
  return value;
}

describe("a run killed at random moments", () => {
  it("ends with the bytes of one never interrupted", { timeout: 180_000 }, async () => {
    const straight = join(folder, "straight");
    expect(await start(straight, 0).ended).toMatchObject({ code: 0, output: "finished 12\n" });
    const expected = contents(straight);
    expect(Object.keys(expected.files as object).sort()).toContain("model/weights.json");

    // Fresh moments at every run of the suite; a failure names the seed.
    const seed = Number(process.env.BREAKWATER_KILL_SEED ?? Date.now() % 1e6);
    const random = new RandomStream(seed);
    const reached = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const dir = join(folder, `killed-${round}`);
      let kills = 0;
      for (;;) {
        const { child, ended } = start(dir, 4);
        const timer = setTimeout(() => child.kill("SIGKILL"), kills < 8 ? 150 + random.int(600) : 60_000);
        const { code, signal, output } = await ended;
        clearTimeout(timer);
        if (signal === "SIGKILL") {
          kills++;
          continue;
        }
        expect({ seed, code, output }).toEqual({ seed, code: 0, output: "finished 12\n" });
        break;
      }
      reached.add(String(kills > 0));
      expect({ seed, ...contents(dir) }).toEqual({ seed, ...expected });
    }
    expect([...reached]).toContain("true");
  });

  it("SIGINT ends after the step with everything saved; a second training is refused while the first runs", async () => {
    const dir = join(folder, "interrupted");
    const first = start(dir, 20);
    while (openable(dir) < 2) await sleep(20);
    const second = await start(dir, 0).ended;
    expect(second.code).toBe(1);
    expect(second.output).toMatch(new RegExp(`another training \\(process ${first.child.pid}\\) is writing into this run folder`));
    first.child.kill("SIGINT");
    const { code, output } = await first.ended;
    expect(code).toBe(0);
    const step = Number(/^stopped (\d+)\n$/.exec(output)?.[1]);
    expect(openRun(dir).checkpoints().at(-1)?.step).toBe(step);
    expect(await start(dir, 0).ended).toMatchObject({ code: 0, output: "finished 12\n" });
    expect(openRun(dir).metrics()).toEqual(openRun(join(folder, "straight")).metrics());
  });
});

/** Steps recorded so far; 0 before the run's folder is there. Reads beside the writer. */
function openable(dir: string): number {
  try {
    const reader = openRun(dir);
    const steps = reader.rolloutSteps().length;
    reader.close();
    return steps;
  } catch {
    return 0;
  }
}

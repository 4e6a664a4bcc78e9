import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { writePhantomDataset } from "../src/datasets/phantom/index.js";
import { openRun } from "../src/store/reader.js";
import { createPhantomModel } from "../src/training/phantom-start.js";
import { RandomStream } from "../src/util/random.js";
import { command, commandFolder, startCompiled, type Started } from "./support/cli.js";

const { folder } = commandFolder("kill");

/** Trains the tabular task in a process of its own; every call of the engine takes `delay` ms more. */
function start(dir: string, delay: number, maxStaleness = 0): Started {
  return startCompiled("test/support/tabular-run.js", [dir, String(delay), String(maxStaleness)]);
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

/** Fresh moments at every run of the suite; a failure names the seed. */
const seed = Number(process.env.BREAKWATER_KILL_SEED ?? Date.now() % 1e6);
const random = new RandomStream(seed);

/** Starts, kills after a random time and starts again, then lets it end; how often it was killed. */
async function killedOften(
  begin: () => Started,
  { kills: most, least, most: longest, end }: { kills: number; least: number; most: number; end: string | RegExp },
): Promise<number> {
  for (let kills = 0; ; kills++) {
    const { child, ended } = begin();
    const timer = kills < most ? setTimeout(() => child.kill("SIGKILL"), least + random.int(longest - least)) : null;
    const { code, signal, output } = await ended;
    if (timer !== null) clearTimeout(timer);
    if (signal === "SIGKILL") continue;
    expect({ seed, code, output }).toMatchObject({ seed, code: 0 });
    expect(output).toMatch(end);
    return kills;
  }
}

const LOCAL_CONFIG = `
method: mrpo
model: blank
data: { path: phantom }
seed: 7
steps: 5
batch: { prompts: 3 }
sampling: { groupSize: 4, maxTokens: 24, maxStaleness: 1 }
loss: { beta: 0.05 }
optimizer: { learningRate: 1e-3 }
evaluation: { every: 2, questions: 4 }
checkpoint: { every: 2, keep: 2 }
engine: { workers: 1, threads: 1 }
`;

describe("a run killed at random moments", () => {
  for (const maxStaleness of [0, 2]) {
    it(`ends with the bytes of one never interrupted (${maxStaleness} batches ahead)`, { timeout: 180_000 }, async () => {
      const straight = join(folder, `straight-${maxStaleness}`);
      expect(await start(straight, 0, maxStaleness).ended).toMatchObject({ code: 0, output: "finished 12\n" });
      const expected = contents(straight);
      expect(Object.keys(expected.files as object).sort()).toContain("model/weights.json");

      for (let round = 0; round < 2; round++) {
        const dir = join(folder, `killed-${maxStaleness}-${round}`);
        await killedOften(() => start(dir, 4, maxStaleness), { kills: 8, least: 150, most: 750, end: "finished 12\n" });
        expect({ seed, ...contents(dir) }).toEqual({ seed, ...expected });
      }
    });
  }

  it("the same holds for the command with the local engine", { timeout: 300_000 }, async () => {
    const data = join(folder, "phantom");
    const model = join(folder, "blank");
    await writePhantomDataset(data, { train: 12, test: 4, seed: 5 });
    createPhantomModel(model, 1);
    const config = join(folder, "config.yaml");
    writeFileSync(config, LOCAL_CONFIG);
    const run = (output: string) => {
      const resumed = existsSync(join(output, "config.json"));
      return startCompiled(command, ["train", ...(resumed ? ["--resume", output] : ["--config", config, "--output", output])]);
    };
    const straight = join(folder, "local-straight");
    expect(await run(straight).ended).toMatchObject({ code: 0 });
    const dir = join(folder, "local-killed");
    const kills = await killedOften(() => run(dir), { kills: 5, least: 700, most: 3500, end: /finished after 5 steps/ });
    expect(kills).toBeGreaterThan(0);
    expect({ seed, ...contents(dir) }).toEqual({ seed, ...contents(straight) });
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
    expect(openRun(dir).metrics()).toEqual(openRun(join(folder, "straight-0")).metrics());
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

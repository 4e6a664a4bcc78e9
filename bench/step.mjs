// Seconds of a whole RL step through the real training loop, and the share that passes outside the engine.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { writePhantomDataset } from "../dist/datasets/phantom/write.js";
import { configOf } from "../dist/training/config.js";
import { createParts } from "../dist/training/create-parts.js";
import { silentDisplay } from "../dist/training/display.js";
import { train } from "../dist/training/run.js";
import { GROUP, median, PROMPTS, teach } from "./workload.mjs";

/** Steps that compile graphs are left out. */
const warmUp = 3;

/** Counts the seconds in which at least one call of the engine is running. */
function timedEngine(engine, clock) {
  const timed = (name) => async (...args) => {
    const started = performance.now();
    try {
      return await engine[name](...args);
    } finally {
      clock.seconds += (performance.now() - started) / 1000;
    }
  };
  const calls = ["sample", "forward", "forwardBackward", "optimStep"].map((name) => [name, timed(name)]);
  return { capabilities: engine.capabilities, save: (...a) => engine.save(...a), load: (d) => engine.load(d), close: () => engine.close(), ...Object.fromEntries(calls) };
}

export async function wholeStep(root, model, size, { steps, teachSteps }) {
  const teacher = await teach(model, teachSteps);
  const taught = join(root, `taught-${size}`);
  mkdirSync(taught);
  await teacher.save(taught, "weights");
  await teacher.close();
  const { dir } = await writePhantomDataset(join(root, "phantom"), { train: 64, test: 8 });
  const config = configOf({
    method: "mrpo", model: taught, output: join(root, `run-${size}`), steps: warmUp + steps, data: { path: dir },
    sampling: { groupSize: GROUP, maxTokens: 160 }, batch: { prompts: PROMPTS }, optimizer: { learningRate: 1e-5 }, checkpoint: { every: 0 },
  });
  const clock = { seconds: 0 };
  const rows = [];
  let before = 0;
  const step = (metrics, timings) => {
    rows.push({ total: timings.total, engine: clock.seconds - before });
    before = clock.seconds;
  };
  const makeParts = async (c) => {
    const parts = await createParts(c);
    return { ...parts, engine: timedEngine(parts.engine, clock) };
  };
  await train(config, { makeParts, display: { ...silentDisplay, step } });
  const measured = rows.slice(warmUp);
  const sum = (key) => measured.reduce((s, row) => s + row[key], 0);
  return { seconds: median(measured.map((row) => row.total)), outsideEngineShare: 1 - sum("engine") / sum("total") };
}

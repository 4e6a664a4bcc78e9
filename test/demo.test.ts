import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { commandFolder } from "./support/cli.js";

const start = fileURLToPath(new URL("../assets/start/phantom-biased", import.meta.url));
const { folder: out, cli } = commandFolder("demo");

// Real engine, real start policy, one tiny run of each method: about half a minute.
it.skipIf(process.env.BREAKWATER_SLOW_TESTS !== "1")("the demo and the experiment run from data to results", async () => {
  const breakwater = async (...args: string[]) => {
    const { code, stdout, stderr } = await cli(args);
    expect(code, stderr).toBe(0);
    return stdout;
  };

  const printed = await breakwater("demo", "--start", start, "--seeds", "1", "--steps", "1", "--questions", "16");
  expect(printed).toMatch(/GRPO +1 /);
  expect(printed).toContain("breakwater-demo/report.html");
  const summary = JSON.parse(readFileSync(join(out, "breakwater-demo/summary.json"), "utf8")) as Record<string, Record<string, number>>;
  expect(Object.keys(summary)).toEqual(["start", "grpo", "mrpo", "seeds", "seconds"]);
  for (const part of ["start", "grpo", "mrpo"]) {
    expect(summary[part].questions).toBe(16);
    expect(summary[part].accuracy).toBeGreaterThanOrEqual(0);
    expect(summary[part].early + summary[part].mid + summary[part].late).toBeCloseTo(1, 9);
  }
  expect(readFileSync(join(out, "breakwater-demo/report.html"), "utf8")).toContain("GRPO and MRPO on a phantom");

  const experiment = ["experiment", "--quick", "--out", "x", "--starts", start, "--methods", "grpo,mrpo", "--seeds", "1", "--steps", "2"];
  await breakwater(...experiment);
  const run = join(out, "x/phantom-biased/mrpo-seed1");
  const before = readFileSync(join(run, "timings.jsonl"), "utf8");
  expect(await breakwater(...experiment)).toContain("2 runs, 2 of them finished before");
  expect(readFileSync(join(run, "timings.jsonl"), "utf8")).toBe(before);
  expect(readFileSync(join(out, "x/results.md"), "utf8")).toContain("Differences to GRPO, matched by seed");
  expect(readdirSync(join(out, "x/figures")).sort()).toEqual(["curves-phantom-biased.svg", "stages-phantom-biased.svg"]);
  expect(await cli([...experiment.slice(0, -1), "3"])).toMatchObject({ code: 1, stderr: expect.stringMatching(/other settings \(steps\)/) as string });
  expect(existsSync(join(run, "model"))).toBe(true);
}, 600_000);

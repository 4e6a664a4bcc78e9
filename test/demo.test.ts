import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { compileForProcess } from "./support/compile.js";

const start = fileURLToPath(new URL("../assets/start/phantom-biased", import.meta.url));
const made: string[] = [];
afterAll(() => made.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

// Real engine, real start policy, one tiny run of each method: about half a minute.
it.skipIf(process.env.BREAKWATER_SLOW_TESTS !== "1")("the demo and the experiment run from data to results", () => {
  const compiled = compileForProcess();
  const out = mkdtempSync(join(tmpdir(), "breakwater-demo-"));
  made.push(compiled, out);
  const breakwater = (...args: string[]) =>
    execFileSync(process.execPath, [join(compiled, "src/cli/main.js"), ...args], { cwd: out, encoding: "utf8" });

  const printed = breakwater("demo", "--start", start, "--seeds", "1", "--steps", "1", "--questions", "16");
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
  breakwater(...experiment);
  const run = join(out, "x/phantom-biased/mrpo-seed1");
  const before = readFileSync(join(run, "timings.jsonl"), "utf8");
  expect(breakwater(...experiment)).toContain("2 runs, 2 of them finished before");
  expect(readFileSync(join(run, "timings.jsonl"), "utf8")).toBe(before);
  expect(readFileSync(join(out, "x/results.md"), "utf8")).toContain("Differences to GRPO, matched by seed");
  expect(readdirSync(join(out, "x/figures")).sort()).toEqual(["curves-phantom-biased.svg", "stages-phantom-biased.svg"]);
  expect(() => breakwater(...experiment.slice(0, -1), "3")).toThrow(/other settings \(steps\)/);
  expect(existsSync(join(run, "model"))).toBe(true);
}, 600_000);

import { Command } from "commander";
import { experimentSettings, experimentStarts, quickSettings } from "../experiment/settings.js";
import { atLeast } from "./whole-number.js";

interface Options {
  readonly out?: string;
  readonly results?: string;
  readonly quick?: boolean;
  readonly reportOnly?: boolean;
  readonly starts: readonly string[];
  readonly methods?: readonly string[];
  readonly seeds?: number;
  readonly ablationSeeds?: number;
  readonly variantSeeds?: number;
  readonly steps?: number;
  readonly learningRate?: number;
  readonly jobs: number;
}

export function experimentCommand(): Command {
  const list = (text: string) => text.split(",").filter((part) => part !== "");
  return new Command("experiment")
    .description("Train every method, ablation and variant over several seeds and starts, and write the results. Started again, it goes on where it stopped.")
    .option("--out <dir>", "folder of the runs (default: breakwater-experiment, with --quick breakwater-experiment-quick)")
    .option("--results <file>", "Markdown file to write (default: docs/results.md, with --quick results.md in the folder of the runs)")
    .option("--quick", "a trial of the whole path in minutes; its numbers mean nothing")
    .option("--report-only", "only write the results of the runs that have finished")
    .option("--starts <list>", "start policies: names of shipped ones, or model folders", list, [...experimentStarts])
    .option("--methods <list>", "keys of the methods to run (default: all)", list)
    .option("--seeds <n>", "seeds of the main methods (default: 10)", atLeast(1))
    .option("--ablation-seeds <n>", "seeds of the ablations (default: 5)", atLeast(1))
    .option("--variant-seeds <n>", "seeds of the variants beyond the paper (default: as for ablations)", atLeast(1))
    .option("--steps <n>", `training steps (default: ${experimentSettings.run.steps})`, atLeast(1))
    .option("--learning-rate <x>", `learning rate (default: ${experimentSettings.run.learningRate})`, Number)
    .option("--jobs <n>", "runs side by side", atLeast(1), 2)
    .action(async (options: Options) => {
      const [{ runExperiment }, { arms }, { UserError }] = await Promise.all([
        import("../experiment/run-experiment.js"),
        import("../experiment/arms.js"),
        import("../util/errors.js"),
      ]);
      const quick = options.quick === true;
      const base = quick ? quickSettings : experimentSettings;
      const learningRate = options.learningRate ?? base.run.learningRate;
      if (!(learningRate > 0)) throw new UserError("--learning-rate: give a number above 0");
      const unknown = options.methods?.find((key) => !arms.some((arm) => arm.key === key));
      if (unknown !== undefined) throw new UserError(`--methods: ${unknown} is none of ${arms.map(({ key }) => key).join(", ")}`);
      const out = options.out ?? (quick ? "breakwater-experiment-quick" : "breakwater-experiment");
      const ablationSeeds = options.ablationSeeds ?? (quick ? 1 : 5);
      const whole = await runExperiment({
        out,
        results: options.results ?? (quick ? `${out}/results.md` : "docs/results.md"),
        starts: options.starts,
        arms: arms.filter(({ key }) => options.methods?.includes(key) ?? true),
        settings: { ...base, run: { ...base.run, steps: options.steps ?? base.run.steps, learningRate } },
        seeds: options.seeds ?? (quick ? 2 : 10),
        ablationSeeds,
        variantSeeds: options.variantSeeds ?? ablationSeeds,
        jobs: options.jobs,
        reportOnly: options.reportOnly === true,
        command: ["breakwater", ...process.argv.slice(2)].join(" "),
        output: process.stdout,
      });
      if (!whole) process.exitCode = 130;
    });
}

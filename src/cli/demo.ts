import { Command } from "commander";
import { demoSettings } from "../demo/settings.js";
import { atLeast } from "./whole-number.js";

export function demoCommand(): Command {
  return new Command("demo")
    .description("Train GRPO and MRPO on a phantom from the same start policy, and show which of them stops early mistakes from cascading.")
    .option("--out <dir>", "folder to write; an earlier demo in it is replaced", "breakwater-demo")
    .option("--seeds <n>", "seeds of each method", atLeast(1), demoSettings.seeds)
    .option("--steps <n>", "training steps of each run", atLeast(1), demoSettings.run.steps)
    .option("--questions <n>", "held-out questions", atLeast(1), demoSettings.questions)
    .option("--start <dir>", "Hugging Face folder of the start policy; the one shipped with the package where not given")
    .action(async (options: { out: string; seeds: number; steps: number; questions: number; start?: string }) => {
      const { runDemo } = await import("../demo/run-demo.js");
      const summary = await runDemo({ ...options, output: process.stdout });
      if (summary === null) process.exitCode = 130;
    });
}

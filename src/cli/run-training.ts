import { loadConfig, type Overrides } from "../training/config.js";
import { createParts } from "../training/create-parts.js";
import { makeDisplay } from "../training/display.js";
import { resume, train } from "../training/run.js";

export interface TrainingCall {
  readonly file: string | null;
  readonly overrides: Overrides;
  readonly resume: string | null;
  readonly plain: boolean;
}

/** Runs a training on the terminal. The first SIGINT or SIGTERM saves after the step, the second ends at once. */
export async function runTraining({ file, overrides, resume: run, plain }: TrainingCall): Promise<void> {
  const config = run === null ? loadConfig(file, overrides) : null;
  const display = makeDisplay(process.stdout, plain ? false : undefined);
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(signal === "SIGINT" ? 130 : 143);
    stopping = true;
    display.message("finishing the step, then saving; once more ends at once (the run then continues from its last checkpoint)");
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    const options = { makeParts: createParts, display, stopRequested: () => stopping };
    const result = config === null ? await resume(run ?? "", options) : await train(config, options);
    process.stdout.write(
      result.state === "finished"
        ? `finished after ${result.totalSteps} steps; weights: ${result.dir}/model\n`
        : `stopped after step ${result.step} of ${result.totalSteps}; continue with: breakwater train --resume ${result.dir}\n`,
    );
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  }
}

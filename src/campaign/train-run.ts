import { existsSync } from "node:fs";
import { runFiles } from "../store/layout.js";
import { openRun } from "../store/reader.js";
import { readRunConfig } from "../store/run-folder.js";
import { configOf } from "../training/config.js";
import { createParts } from "../training/create-parts.js";
import type { Display } from "../training/display.js";
import { resume, train } from "../training/run.js";
import type { TrainConfig } from "../training/schema.js";
import { UserError } from "../util/errors.js";

/**
 * Brings a run to its end: starts it, continues it where it was interrupted, or leaves it as it is where it has
 * finished. False where it was asked to stop before. Throws where the folder holds a run with other settings.
 */
export async function completeRun(
  config: TrainConfig & { readonly output: string },
  display: Display,
  stopRequested: () => boolean,
): Promise<boolean> {
  const options = { makeParts: createParts, display, stopRequested };
  if (!existsSync(runFiles.config(config.output))) return (await train(config, options)).state === "finished";
  requireSame(config);
  if (hasFinished(config.output)) return true;
  return (await resume(config.output, options)).state === "finished";
}

/** The run reached its last step and its weights stand in its folder. */
export function hasFinished(dir: string): boolean {
  if (!existsSync(runFiles.config(dir))) return false;
  const run = openRun(dir);
  try {
    return run.status()?.state === "finished" && run.modelDir() !== null;
  } finally {
    run.close();
  }
}

/** Throws a UserError where the run's folder holds a run with other settings; an absent one is fine. */
export function requireSame(config: TrainConfig & { readonly output: string }): void {
  if (!existsSync(runFiles.config(config.output))) return;
  const there = { ...configOf(readRunConfig(config.output), `${config.output}/config.json`), output: config.output };
  const keys = (Object.keys(config) as (keyof TrainConfig)[]).filter(
    (key) => JSON.stringify(there[key]) !== JSON.stringify(config[key]),
  );
  if (keys.length > 0) {
    throw new UserError(
      `${config.output}: holds a run with other settings (${keys.join(", ")}); name another folder with --out, or remove this run`,
    );
  }
}

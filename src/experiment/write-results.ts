import { availableParallelism, cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { writeFileAtomic } from "../util/atomic-file.js";
import type { Arm, PlannedRun, SeedCounts } from "./arms.js";
import type { ExperimentResults } from "./collect.js";
import { curvesFigure, stagesFigure } from "./figures.js";
import { resultsMarkdown, type Machine } from "./markdown.js";
import type { ExperimentSettings } from "./settings.js";

export interface ResultsOptions extends SeedCounts {
  readonly settings: ExperimentSettings;
  readonly arms: readonly Arm[];
  readonly results: string;
  readonly command: string;
}

/** Writes the Markdown file and its pictures (in `figures/` beside it); returns the files' names as given. */
export function writeResults(results: ExperimentResults, planned: readonly PlannedRun[], options: ResultsOptions): string[] {
  const { arms, results: file } = options;
  const folder = dirname(resolve(file));
  // Ablations would crowd the pictures; the tables have them.
  const shown = arms.filter(({ group }) => group !== "ablation");
  const figures = results.starts.map((start) => {
    const runs = results.runs.filter((run) => run.start === start.name);
    if (runs.length === 0) return null;
    const names = { stages: `figures/stages-${start.name}.svg`, curves: `figures/curves-${start.name}.svg` };
    writeFileAtomic(join(folder, names.stages), stagesFigure(start, shown, runs));
    writeFileAtomic(join(folder, names.curves), curvesFigure(start.name, shown, runs));
    return { start: start.name, ...names };
  });
  const present = figures.filter((figure) => figure !== null);
  writeFileAtomic(file, resultsMarkdown(results, planned, present, options, machine()));
  return [file, ...present.flatMap(({ stages, curves }) => [stages, curves].map((name) => join(dirname(file), name)))];
}

function machine(): Machine {
  return { cpu: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism(), node: process.version, platform: `${process.platform} ${process.arch}`, date: new Date() };
}

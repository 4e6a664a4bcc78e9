import { join } from "node:path";
import { readEvaluation, type EvaluationFile } from "../evaluation/file.js";
import { evaluationsDir, listEvaluations } from "../evaluation/run-evaluations.js";
import { answersEqual } from "../rewards/verify.js";
import { openRun } from "../store/reader.js";
import type { RunReader, StoredExample, StoredRollout } from "../store/types.js";
import type { GalleryChain, ReportRun } from "./data.js";
import { flatten } from "./flatten.js";
import { methodLabel } from "./palette.js";
import { selectChains } from "./select.js";

export interface CollectOptions {
  /** Chains kept of each run. */
  readonly chainsPerRun?: number;
  /** Steps at the end of a run whose rollouts are looked through; its first step is always. */
  readonly lastSteps?: number;
}

/** Reads run folders into what a report needs. Runs of one method that differ in more than the seed are told apart. */
export function collectRuns(dirs: readonly string[], options: CollectOptions = {}): ReportRun[] {
  const names = dirs.map(listEvaluations);
  const shared = (names[0] ?? []).find((name) => names.every((others) => others.includes(name)));
  return separateVariants(
    dirs.map((dir, d) => {
      const file = shared ?? names[d].at(0);
      const final = file === undefined ? null : readEvaluation(join(evaluationsDir(dir), file));
      const run = openRun(dir);
      try {
        return reportRun(run, final, options);
      } finally {
        run.close();
      }
    }),
  );
}

/** A run that exists only as an evaluation (the start policy, a downloaded model). */
export function evaluationOnly(evaluation: EvaluationFile): ReportRun {
  const { name, method, runSeed } = evaluation;
  const none = { config: {}, metrics: [], timings: [], timeline: [], evaluations: [], gallery: [] };
  return { name, method: method ?? name, seed: runSeed, final: evaluation, ...none };
}

/** One opened run; the caller closes it. */
export function reportRun(
  run: RunReader,
  final: EvaluationFile | null,
  { chainsPerRun = 24, lastSteps = 4 }: CollectOptions = {},
): ReportRun {
  const { method, seed } = run.config;
  const name = typeof method === "string" ? method : run.name;
  const steps = run.rolloutSteps();
  const shown = [...new Set([...steps.slice(0, 1), ...steps.slice(-lastSteps)])];
  const rollouts = shown.flatMap((step) => run.rollouts({ step }));
  const examples = new Map(run.examples([...new Set(rollouts.map((row) => row.exampleId))]).map((row) => [row.id, row]));
  const chains = rollouts.flatMap((row): GalleryChain[] => {
    const example = examples.get(row.exampleId);
    return example === undefined ? [] : [galleryChain(row, example, name, typeof seed === "number" ? seed : null)];
  });
  return {
    name: run.name,
    method: name,
    seed: typeof seed === "number" ? seed : null,
    config: run.config,
    metrics: run.metrics(),
    timings: run.timings(),
    timeline: run.timeline(),
    evaluations: run.evaluations(),
    final,
    gallery: selectChains(chains, chainsPerRun),
  };
}

function galleryChain(row: StoredRollout, example: StoredExample, method: string, seed: number | null): GalleryChain {
  return {
    label: `${methodLabel(method)}${seed === null ? "" : `, seed ${seed}`}, step ${row.step}`,
    method,
    example,
    text: row.text,
    answer: row.answer,
    steps: row.steps,
    verdict: row.verdict,
    rewards: row.rewards,
    correct: row.rewards.answer.status === "unscored" ? null : row.answer !== null && answersEqual(row.answer, example.answer),
    advantage: row.advantage,
    tokens: { offsets: row.offsets, advantages: row.tokenAdvantages },
  };
}

/** Settings that make no other method of a run. */
const INCIDENTAL = /^(seed|output|evaluation\..*|checkpoint\..*|engine\.(workers|threads)|batch\.microBatch)$/;

/** Appends to a method's name the settings in which its runs differ, so that only seeds of the same thing are averaged. */
function separateVariants(runs: readonly ReportRun[]): ReportRun[] {
  const flat = new Map(runs.map((run) => [run, new Map(flatten(run.config))]));
  return runs.map((run) => {
    const siblings = runs.filter((other) => other.method === run.method);
    const own = flat.get(run) ?? new Map<string, string>();
    const keys = [...new Set(siblings.flatMap((other) => [...(flat.get(other) ?? [])].map(([key]) => key)))].filter(
      (key) => !INCIDENTAL.test(key) && siblings.some((other) => flat.get(other)?.get(key) !== own.get(key)),
    );
    if (keys.length === 0) return run;
    const variant = keys.map((key) => `${key.slice(key.lastIndexOf(".") + 1)} ${own.get(key) ?? "unset"}`).join(", ");
    const method = `${methodLabel(run.method)} (${variant})`;
    return { ...run, method, gallery: run.gallery.map((chain) => ({ ...chain, method })) };
  });
}

import type { BootstrapOptions } from "./bootstrap.js";
import { UserError } from "../util/errors.js";
import type { EvaluatedChain } from "./chain.js";
import { datasetsOf, estimateDifference, estimateSystem, type PairedEstimates, type SystemEstimates } from "./estimates.js";
import type { Measured } from "./measured.js";

export const COMPARISON_FORMAT = "breakwater-comparison-1";

/** One system's results from all its files. */
export interface SystemResults {
  readonly name: string;
  /** Method of a run, for its colour; the name otherwise. */
  readonly method: string | null;
  readonly rows: readonly Measured[];
  /** Chains with verdicts, for the figures of reasoning; empty where only answers were evaluated. */
  readonly chains: readonly EvaluatedChain[];
}

export interface ResultsComparison {
  readonly format: typeof COMPARISON_FORMAT;
  readonly datasets: readonly string[];
  readonly systems: readonly ({ readonly name: string } & SystemEstimates)[];
  /** Every other system against the first, paired by question. */
  readonly differences: readonly ({ readonly from: string; readonly to: string } & PairedEstimates)[];
}

/**
 * Systems side by side: each over all its own questions, and each one's difference to the first over the questions that
 * both answered. @throws UserError where a system shares no question with the first.
 */
export function compareResults(systems: readonly SystemResults[], options: BootstrapOptions = {}): ResultsComparison {
  const [first, ...others] = alignDatasets(systems);
  if (first === undefined) throw new UserError("nothing to compare: name at least one run or result file");
  const differences = others.map((other) => {
    const paired = estimateDifference(first.rows, other.rows, options);
    if (Object.keys(paired.datasets).length === 0) {
      throw new UserError(
        `${first.name} and ${other.name} have no question in common, so their difference says nothing; evaluate both on the same data (questions are matched by image name, question and gold answer)`,
      );
    }
    return { from: first.name, to: other.name, ...paired };
  });
  const aligned = [first, ...others];
  return {
    format: COMPARISON_FORMAT,
    datasets: [...new Set(aligned.flatMap(({ rows }) => datasetsOf(rows)))],
    systems: aligned.map(({ name, rows }) => ({ name, ...estimateSystem(rows, options) })),
    differences,
  };
}

/**
 * One name a data set in all systems. Where some rows name their data set by their file only, questions are matched by
 * content: a name that a row tells goes before one that a file has, then the earlier system's before the later one's.
 */
export function alignDatasets<T extends Pick<SystemResults, "rows">>(systems: readonly T[]): T[] {
  if (systems.every(({ rows }) => rows.every(({ labelled }) => labelled))) return [...systems];
  const names = new Map<string, string>();
  for (const labelled of [true, false]) {
    for (const { rows } of systems) {
      for (const row of rows) if (row.labelled === labelled && !names.has(row.question)) names.set(row.question, row.dataset);
    }
  }
  return systems.map((system) => ({ ...system, rows: system.rows.map((row) => (row.labelled ? row : { ...row, dataset: names.get(row.question) ?? row.dataset })) }));
}

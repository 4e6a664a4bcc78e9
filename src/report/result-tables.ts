import type { ResultsComparison } from "../evaluation/compare-results.js";
import type { DatasetEstimates, DifferenceEstimate, ResultEstimates, SystemEstimates } from "../evaluation/estimates.js";
import { RESULT_METRICS, resultInfo, type ResultKey } from "../evaluation/measured.js";
import type { StepPosition } from "../evaluation/positions.js";
import { formatCount, formatDifference, formatEstimate, formatValue, NONE } from "./format.js";
import type { Column, Table } from "./tables.js";

/** The row or column of the mean over data sets. */
export const AVERAGE = "Average";

const left = (title: string): Column => ({ title, align: "left" });
const right = (title: string): Column => ({ title, align: "right" });

/** One system: a row a data set and one for their average, a column a metric that has a value. */
export function datasetsTable({ datasets, macro }: SystemEstimates, keys: readonly ResultKey[]): Table {
  return groupsTable("Data set", Object.entries(datasets), macro, keys, true);
}

/** The same by kind of question, in alphabetical order; kinds are not averaged. */
export function kindsOfQuestionTable({ datasets, macro }: SystemEstimates, keys: readonly ResultKey[]): Table {
  return groupsTable("Kind of question", Object.entries(datasets).sort(([a], [b]) => (a < b ? -1 : 1)), macro, keys, false);
}

function groupsTable(title: string, rows: readonly [string, DatasetEstimates][], macro: ResultEstimates, keys: readonly ResultKey[], average: boolean): Table {
  const shown = keys.filter((key) => macro[key] !== undefined);
  const cells = (metrics: ResultEstimates): string[] => shown.map((key) => cell(metrics, key));
  return {
    columns: [left(title), right("Questions"), ...shown.map((key) => right(resultInfo(key).label))],
    rows: [
      ...rows.map(([name, { questions, metrics }]) => [name, formatCount(questions), ...cells(metrics)]),
      ...(average && rows.length > 1 ? [[AVERAGE, formatCount(rows.reduce((sum, [, { questions }]) => sum + questions, 0)), ...cells(macro)]] : []),
    ],
  };
}

/** One metric of all systems: a row a system, a column a data set and one for their average. */
export function systemsTable({ datasets, systems }: ResultsComparison, key: ResultKey): Table {
  const several = datasets.length > 1;
  return {
    columns: [left(resultInfo(key).label), ...datasets.map(right), ...(several ? [right(AVERAGE)] : [])],
    rows: systems.map((system) => [system.name, ...datasets.map((name) => cell(system.datasets[name]?.metrics ?? {}, key)), ...(several ? [cell(system.macro, key)] : [])]),
  };
}

/** One metric's differences to the first system: a row a system, a column a data set and one for their average. */
export function differencesTable({ datasets, differences }: ResultsComparison, key: ResultKey): Table {
  const several = datasets.length > 1;
  const { unit } = resultInfo(key);
  return {
    columns: [left(`${resultInfo(key).label}, difference`), ...datasets.map(right), ...(several ? [right(AVERAGE)] : [])],
    rows: differences.map((pair) => [
      `${pair.to} − ${pair.from}`,
      ...datasets.map((name) => difference(pair.datasets[name]?.metrics[key], unit)),
      ...(several ? [difference(pair.macro[key], unit)] : []),
    ]),
  };
}

/** All metrics: a row a metric, a column a system, then each one's difference to the first; averages over data sets. */
export function allMetricsTable({ systems, differences }: ResultsComparison): Table {
  const shown = RESULT_METRICS.filter(({ key }) => systems.some(({ macro }) => macro[key] !== undefined));
  return {
    columns: [left("Metric"), ...systems.map(({ name }) => right(name)), ...differences.map(({ from, to }) => right(`${to} − ${from}`))],
    rows: shown.map(({ key, label, unit }) => [label, ...systems.map(({ macro }) => cell(macro, key)), ...differences.map(({ macro }) => difference(macro[key], unit))]),
  };
}

export function positionsTable(positions: readonly StepPosition[]): Table {
  return {
    columns: [left("Step"), right("Judged steps"), right("Invalid"), right("Chains that first fail here")],
    rows: positions.map(({ position, andLater, steps, invalid, firstFailures }) => [
      `${position}${andLater ? " and later" : ""}`,
      formatCount(steps),
      formatValue(invalid / steps, "share"),
      formatCount(firstFailures),
    ]),
  };
}

function cell(metrics: ResultEstimates, key: ResultKey): string {
  const estimate = metrics[key];
  return estimate === undefined ? NONE : formatEstimate(estimate, resultInfo(key).unit);
}

/** `+2.1 [+0.3, +3.9] * p=0.012`. */
function difference(estimate: DifferenceEstimate | undefined, unit: "share" | "number"): string {
  if (estimate === undefined) return NONE;
  const { p } = estimate;
  return `${formatDifference(estimate, unit)}${p === null ? "" : p < 0.001 ? " p<0.001" : ` p=${p.toFixed(3)}`}`;
}

import type { Comparison } from "../evaluation/compare.js";
import { METRICS } from "../evaluation/metrics.js";
import type { Summary } from "../evaluation/summary.js";
import { formatCount, formatDifference, formatEstimate } from "./format.js";
import type { Table } from "./tables.js";

/** One system's metrics with intervals, and what each is a mean over. */
export function evaluationTable(summary: Summary): Table {
  return {
    columns: [
      { title: "Metric", align: "left" },
      { title: "Value [95% interval]", align: "right" },
      { title: "n", align: "right" },
      { title: "Mean over", align: "left" },
    ],
    rows: METRICS.map(({ key, label, unit, over }) => {
      const estimate = summary.metrics[key];
      return [label, formatEstimate(estimate, unit), formatCount(estimate.n), over];
    }),
  };
}

/** Metrics by kind of question: one row a kind. */
export function kindTable(kinds: Readonly<Record<string, Summary>>): Table {
  const keys = ["accuracy", "stepValidity", "early", "far"] as const;
  const shown = METRICS.filter((metric) => keys.some((key) => key === metric.key));
  return {
    columns: [
      { title: "Kind of question", align: "left" },
      { title: "Questions", align: "right" },
      ...shown.map(({ label }) => ({ title: label, align: "right" as const })),
    ],
    rows: Object.entries(kinds).map(([kind, summary]) => [
      kind,
      formatCount(summary.questions),
      ...shown.map(({ key, unit }) => formatEstimate(summary.metrics[key], unit)),
    ]),
  };
}

/** Systems as columns, then each one's paired difference to the first. */
export function comparisonTable(comparison: Comparison): Table {
  const { systems, differences } = comparison;
  const shown = METRICS.filter(({ key }) => systems.some(({ summary }) => summary.metrics[key].value !== null));
  return {
    columns: [
      { title: "Metric", align: "left" },
      ...systems.map(({ name }) => ({ title: name, align: "right" as const })),
      ...differences.map(({ from, to }) => ({ title: `${to} − ${from}`, align: "right" as const })),
    ],
    rows: shown.map(({ key, label, unit }) => [
      label,
      ...systems.map(({ summary }) => formatEstimate(summary.metrics[key], unit)),
      ...differences.map(({ metrics }) => formatDifference(metrics[key], unit)),
    ]),
  };
}

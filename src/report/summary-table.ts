import { METRICS, metricInfo, type MetricKey } from "../evaluation/metrics.js";
import type { EndSource, MethodGroup } from "./data.js";
import { formatCount, formatEstimate, formatMeanSpread, meanSpread, NONE } from "./format.js";
import { methodLabel } from "./palette.js";
import type { Table } from "./tables.js";

/** What a reader looks at first. */
const HEADLINE: readonly MetricKey[] = ["accuracy", "stepValidity", "early", "earlyOfAll", "far", "stepsPerChain"];

/** One row a method: mean ± spread over its seeds; a single evaluated run shows its own 95% interval instead. */
export function summaryTable(groups: readonly MethodGroup[]): Table {
  return {
    columns: [
      { title: "Method", align: "left" },
      { title: "Runs", align: "right" },
      ...HEADLINE.map((key) => ({ title: metricInfo(key).label, align: "right" as const })),
      { title: "Training tokens/s", align: "right" },
    ],
    rows: groups.map((group) => [
      methodLabel(group.method),
      String(group.runs.length),
      ...HEADLINE.map((key) => cellOf(group, key)),
      group.tokensPerSecond.mean === null ? NONE : formatCount(group.tokensPerSecond.mean),
    ]),
  };
}

/** Every metric as a row, every method as a column. */
export function metricsTable(groups: readonly MethodGroup[]): Table {
  const shown = METRICS.filter(({ key }) => groups.some((group) => group.values[key].mean !== null));
  return {
    columns: [
      { title: "Metric", align: "left" },
      ...groups.map((group) => ({ title: methodLabel(group.method), align: "right" as const })),
      { title: "Mean over", align: "left" },
    ],
    rows: shown.map(({ key, label, over }) => [label, ...groups.map((group) => cellOf(group, key)), over]),
  };
}

/** Accuracy and early failures by kind of question; `null` where no evaluation tells kinds. */
export function kindsTable(groups: readonly MethodGroup[], key: MetricKey): Table | null {
  const kinds = [...new Set(groups.flatMap((group) => group.runs.flatMap((run) => Object.keys(run.final?.kinds ?? {}))))].sort();
  if (kinds.length === 0) return null;
  const shown = groups.filter((group) => group.runs.some((run) => run.final !== null));
  return {
    columns: [
      { title: "Kind of question", align: "left" },
      { title: "Questions", align: "right" },
      ...shown.map((group) => ({ title: methodLabel(group.method), align: "right" as const })),
    ],
    rows: kinds.map((kind) => {
      const questions = shown.flatMap((group) => group.runs.flatMap((run) => run.final?.kinds[kind]?.questions ?? []));
      return [
        kind,
        formatCount(Math.max(0, ...questions)),
        ...shown.map((group) => {
          const summaries = group.runs.flatMap((run) => run.final?.kinds[kind] ?? []);
          const unit = metricInfo(key).unit;
          if (summaries.length === 1) return formatEstimate(summaries[0].metrics[key], unit);
          return formatMeanSpread(meanSpread(summaries.map((summary) => summary.metrics[key].value)), unit);
        }),
      ];
    }),
  };
}

const SOURCES: Readonly<Record<EndSource, string>> = {
  "held-out": "the held-out questions",
  evaluation: "the last evaluation during training",
  training: "the rollouts of the last ten training steps",
  none: "nothing: these runs have no step yet",
};

/** `GRPO: the held-out questions; MRPO: …`, or one source where all share it. */
export function sourceNote(groups: readonly MethodGroup[]): string {
  const sources = groups.map((group) => group.sources.map((source) => SOURCES[source]).join(" and "));
  if (new Set(sources).size <= 1) return `Measured on ${sources[0] ?? SOURCES.none}.`;
  return `Measured on: ${groups.map((group, g) => `${methodLabel(group.method)}: ${sources[g]}`).join("; ")}.`;
}

function cellOf(group: MethodGroup, key: MetricKey): string {
  const { unit } = metricInfo(key);
  const [run] = group.runs;
  if (group.runs.length === 1 && run.final !== null) return formatEstimate(run.final.summary.metrics[key], unit);
  return formatMeanSpread(group.values[key], unit);
}

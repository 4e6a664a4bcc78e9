import { expect, it } from "vitest";
import { METRIC_KEYS, type MetricKey } from "../evaluation/metrics.js";
import type { EvaluationFile } from "../evaluation/file.js";
import { terminalTable } from "../report/tables.js";
import type { MetricsRow, TimingsRow } from "../store/types.js";
import { demoSummary, demoTable, type DemoResult, type DemoRun } from "./summary.js";

function run(values: Partial<Record<MetricKey, number>>, validity: readonly number[] = []): DemoRun {
  const metrics = Object.fromEntries(METRIC_KEYS.map((key) => [key, { value: values[key] ?? null, low: null, high: null, n: 1 }]));
  return {
    evaluation: { summary: { questions: 512, metrics } } as unknown as EvaluationFile,
    metrics: validity.map((stepValidity, i) => ({ step: i + 1, stepValidity }) as MetricsRow),
    timings: validity.map((_, i) => ({ step: i + 1, tokensPerSecond: 1000 }) as TimingsRow),
  };
}

const figures = { accuracy: 0.25, stepValidity: 0.5, early: 0.5, mid: 0.25, late: 0.25, far: 0.75 };
const start: DemoResult = { method: "start", runs: [run(figures)] };
const grpo: DemoResult = { method: "grpo", runs: [run({ ...figures, accuracy: 0.5 }, [0.2, 0.4, 0.6]), run({ ...figures, accuracy: 0.75 }, [0.2, 0.4, 0.8])] };
const mrpo: DemoResult = { method: "mrpo", runs: [run({ ...figures, accuracy: 0.75 }, [0.2, 0.6, 0.9]), run({ accuracy: 1, stepValidity: 1 }, [0.2, 0.6, 0.9])] };

it("summary.json has the promised keys and means over seeds", () => {
  const summary = demoSummary(start, grpo, mrpo, 123.456);
  expect(Object.keys(summary)).toEqual(["start", "grpo", "mrpo", "seeds", "seconds"]);
  for (const part of [summary.start, summary.grpo, summary.mrpo]) {
    expect(Object.keys(part)).toEqual(["accuracy", "stepValidity", "early", "mid", "late", "far", "questions"]);
  }
  expect(summary.start).toEqual({ ...figures, questions: 512 });
  expect(summary.grpo.accuracy).toBe(0.625);
  // The second MRPO run has no failing chain: it has no stage shares and is not counted as 0.
  expect(summary.mrpo).toMatchObject({ accuracy: 0.875, stepValidity: 0.75, early: 0.5 });
  expect(summary).toMatchObject({ seeds: 2, seconds: 123.5 });
});

it("the table counts steps to the validity that every run reached", () => {
  const { table } = demoTable([start, grpo, mrpo], 1);
  expect(table.columns.map(({ title }) => title)).toContain("Steps to 60% valid");
  const column = table.columns.findIndex(({ title }) => title === "Steps to 60% valid");
  // GRPO: 3 and 2.5 steps; MRPO: 2 and 2.
  expect(table.rows.map((row) => row[column])).toEqual(["–", "2.75 ± 0.35", "2.00 ± 0.00"]);
  expect(terminalTable(table)).toContain("GRPO");
});

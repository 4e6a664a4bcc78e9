import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, describe, expect, it } from "vitest";
import { MRPO, START, syntheticEvaluation } from "../../test/support/synthetic-runs.js";
import { comparisonHtml, comparisonMarkdown, comparisonTables } from "../report/comparison.js";
import { RandomStream } from "../util/random.js";
import { bootstrapPValue } from "./bootstrap.js";
import { alignDatasets, compareResults, type SystemResults } from "./compare-results.js";
import { estimateDifference, estimateKinds, estimateSystem } from "./estimates.js";
import { writeEvaluation } from "./file.js";
import type { Measured } from "./measured.js";
import { openSystems } from "./systems.js";

const folder = mkdtempSync(join(tmpdir(), "breakwater-compare-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fixtures = join(import.meta.dirname, "../../interop/fixtures/evaluation");

/** One chain a question: right or wrong. */
function rows(dataset: string, right: readonly (0 | 1)[], labelled = true, prefix = "q"): Measured[] {
  return right.map((value, q) => ({ dataset, labelled, question: `${prefix}${q}`, kind: q % 2 === 0 ? "even" : "odd", sample: 0, parts: { accuracy: [value, 1] } }));
}

const system = (name: string, measured: readonly Measured[]): SystemResults => ({ name, method: null, rows: measured, chains: [] });
const coins = (n: number, share: number, seed: number): (0 | 1)[] => {
  const random = new RandomStream(seed);
  return Array.from({ length: n }, () => (random.uniform() < share ? 1 : 0));
};

describe("estimates", () => {
  it("average over data sets, each the same, with the interval of independent samples", () => {
    const { datasets, macro } = estimateSystem([...rows("small", coins(40, 0.5, 1)), ...rows("large", coins(400, 0.2, 2))], { resamples: 4000 });
    const { small, large } = datasets;
    const a = small.metrics.accuracy?.value ?? NaN;
    const b = large.metrics.accuracy?.value ?? NaN;
    expect([small.questions, large.questions]).toEqual([40, 400]);
    expect(macro.accuracy?.value).toBeCloseTo((a + b) / 2, 12);
    expect(macro.accuracy?.n).toBe(2);
    // Normal approximation of the mean of two independent shares.
    const half = 1.959964 * 0.5 * Math.sqrt((a * (1 - a)) / 40 + (b * (1 - b)) / 400);
    expect(Math.abs((macro.accuracy?.low ?? 0) - ((a + b) / 2 - half))).toBeLessThan(0.012);
    expect(Math.abs((macro.accuracy?.high ?? 0) - ((a + b) / 2 + half))).toBeLessThan(0.012);
  });

  it("by kind keep questions of different data sets apart", () => {
    const kinds = estimateKinds([...rows("a", [1, 0, 1]), ...rows("b", [0, 0, 0])]);
    expect(kinds?.datasets.even).toMatchObject({ questions: 4, metrics: { accuracy: { value: 0.5 } } });
    expect(kinds?.datasets.odd.metrics.accuracy?.value).toBe(0);
    expect(estimateKinds(rows("a", [1]))).toBeNull();
  });
});

describe("paired differences", () => {
  it("have the p-value of the normal approximation of McNemar's test", () => {
    // 14 questions won, 4 lost, of 200: z = 10 / sqrt(18), p ≈ 0.018.
    const a = coins(200, 0.5, 5);
    const b = [...a];
    let won = 14;
    let lost = 4;
    a.forEach((value, q) => {
      if (value === 0 && won > 0) [b[q], won] = [1, won - 1];
      else if (value === 1 && lost > 0) [b[q], lost] = [0, lost - 1];
    });
    const { datasets } = estimateDifference(rows("d", a), rows("d", b), { resamples: 20_000 });
    const difference = datasets.d.metrics.accuracy;
    expect(difference?.value).toBeCloseTo(10 / 200, 12);
    expect(difference?.p).toBeGreaterThan(0.011);
    expect(difference?.p).toBeLessThan(0.03);
    expect(difference?.low).toBeGreaterThan(0);
    // Unpaired, the same accuracies would not differ: 0.05 against a standard error of 0.05.
    expect(difference?.low ?? -1).toBeGreaterThan(0.05 - 1.96 * 0.05);
  });

  it("reject about one in twenty where there is no difference", () => {
    let rejected = 0;
    const trials = 200;
    for (let t = 0; t < trials; t++) {
      const p = estimateDifference(rows("d", coins(100, 0.4, 2 * t)), rows("d", coins(100, 0.4, 2 * t + 1)), { resamples: 400, seed: t }).macro.accuracy?.p ?? 0;
      if (p < 0.05) rejected++;
    }
    expect(rejected / trials).toBeGreaterThan(0.005);
    expect(rejected / trials).toBeLessThan(0.12);
  });

  it("are 1 for equal systems, never 0, and absent where nothing can be compared", () => {
    const equal = estimateDifference(rows("d", [1, 0, 1]), rows("d", [1, 0, 1])).macro.accuracy;
    expect(equal).toMatchObject({ value: 0, low: 0, high: 0, p: 1 });
    const clear = estimateDifference(rows("d", coins(50, 0, 1)), rows("d", coins(50, 1, 1)), { resamples: 999 }).macro.accuracy;
    expect(clear?.p).toBeCloseTo(2 / 1000, 12);
    expect(bootstrapPValue(new Float64Array([NaN, NaN, 1]))).toBeNull();
  });

  it("are over the questions that both answered", () => {
    const { differences, systems } = compareResults([system("a", rows("d", [1, 1, 1, 1])), system("b", rows("d", [0, 1]))]);
    expect(differences[0].datasets.d).toMatchObject({ questions: 2, metrics: { accuracy: { value: -0.5, n: 2 } } });
    expect(systems.map(({ datasets }) => datasets.d.questions)).toEqual([4, 2]);
    expect(() => compareResults([system("a", rows("d", [1])), system("c", rows("d", [1], true, "other"))])).toThrow(/a and c have no question in common/);
    expect(() => compareResults([])).toThrow(/nothing to compare/);
  });

  it("pair data sets that only their files name, by their questions", () => {
    const [a, b] = alignDatasets([system("a", rows("grpo-test", [1, 0], false)), system("b", rows("mrpo-test", [1, 1], false))]);
    expect(b.rows.map(({ dataset }) => dataset)).toEqual(a.rows.map(({ dataset }) => dataset));
    const told = alignDatasets([system("a", rows("file", [1, 0], false)), system("b", rows("vqa-rad", [1, 1]))]);
    expect(new Set(told.flatMap((one) => one.rows.map(({ dataset }) => dataset)))).toEqual(new Set(["vqa-rad"]));
  });
});

describe("files", () => {
  const paths = ["start", "mrpo"].map((name) => join(folder, `${name}.json`));
  writeEvaluation(paths[0], syntheticEvaluation("start", null, 1, START, 80));
  writeEvaluation(paths[1], syntheticEvaluation("mrpo", "mrpo", 1, MRPO, 80));

  it("of breakwater eval, of the reference and plain inference files are systems", () => {
    const answers = join(fixtures, "answers.json");
    const reasoning = join(fixtures, "reasoning.json");
    const { systems, warnings } = openSystems([`theirs=${answers}`, `theirs=${reasoning}`, `plain=${join(fixtures, "inference.json")}`]);
    expect(systems.map(({ name }) => name)).toEqual(["theirs", "plain"]);
    expect(warnings).toEqual([]);
    // Answers and reasoning of one question are one row.
    expect(systems[0].rows).toHaveLength(7);
    expect(systems[0].rows[0].parts).toMatchObject({ judgedAccuracy: [1, 1], stepValidity: [2, 3], accuracy: [1, 1] });
    const { differences, datasets } = compareResults(systems);
    expect(datasets).toEqual(["vqa-rad", "slake", "pathvqa"]);
    expect(differences[0].macro.accuracy).toMatchObject({ value: 0, p: 1 });
    expect(() => openSystems([join(folder, "none.json")])).toThrow(/none\.json: no such/);
    writeFileSync(join(folder, "odd.json"), '{"a":1}');
    expect(() => openSystems([join(folder, "odd.json")])).toThrow(/no results that can be compared/);
  });

  it("give tables, Markdown and a page with the paper's two figures", () => {
    const { systems } = openSystems(paths);
    const comparison = compareResults(systems);
    const [all] = comparisonTables(comparison);
    expect(all.table.columns.map(({ title }) => title)).toEqual(["Metric", "start", "mrpo", "mrpo − start"]);
    const early = all.table.rows.find(([label]) => label === "Fails first early") ?? [];
    expect(early[3]).toMatch(/^−\d+\.\d \[−\d+\.\d, [−+]\d+\.\d\].* p[=<]0\.\d+$/);
    expect(comparisonMarkdown(comparison)).toMatch(/^\*\*All metrics\.\*\*\n\n\| Metric \| start \| mrpo \| mrpo − start \|\n\|---\|---:\|/);
    const { document } = parseHTML(comparisonHtml(systems, comparison, "Test", new Date(0)));
    expect([...document.querySelectorAll("section")].map(({ id }) => id)).toEqual(["tables", "stages", "accumulation", "positions"]);
    const bars = [...document.querySelectorAll("#stages svg.wide rect title")].map((title) => title.textContent);
    const metrics = comparison.systems[1].macro;
    expect(bars).toContain(`MRPO: ${(100 * (metrics.early?.value ?? NaN)).toFixed(1)}% early`);
    const dots = [...document.querySelectorAll("#accumulation svg.wide circle title")].map((title) => title.textContent);
    expect(dots).toContain(`mrpo, 0–0.2: ${(100 * (metrics.farBin1?.value ?? NaN)).toFixed(1)}%`);
  });

  it("over several data sets have a table for each headline, with the average last", () => {
    const comparison = compareResults([system("a", [...rows("x", [1, 0]), ...rows("y", [1, 1])]), system("b", [...rows("x", [1, 1]), ...rows("y", [1, 1])])]);
    const tables = comparisonTables(comparison);
    expect(tables[0].table.columns.map(({ title }) => title)).toEqual(["Accuracy (exact match)", "x", "y", "Average"]);
    expect(tables[0].table.rows[0][3]).toMatch(/^75\.0%/);
    expect(tables[1].table.rows[0][0]).toBe("b − a");
    expect(tables).toHaveLength(3);
  });
});

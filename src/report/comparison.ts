import { compareResults, type ResultsComparison, type SystemResults } from "../evaluation/compare-results.js";
import { resultInfo, type ResultKey } from "../evaluation/measured.js";
import { METRIC_KEYS } from "../evaluation/metrics.js";
import { stepPositions } from "../evaluation/positions.js";
import { summarize } from "../evaluation/summary.js";
import type { MethodGroup, ReportRun } from "./data.js";
import { meanSpread } from "./format.js";
import { renderPage } from "./html.js";
import { html, type Content } from "./markup.js";
import { paletteOf } from "./palette.js";
import { allMetricsTable, differencesTable, positionsTable, systemsTable } from "./result-tables.js";
import { accumulationSection, stagesSection, type Section } from "./sections.js";
import { htmlTable, markdownTable, type Table } from "./tables.js";

/** What is shown by data set: the paper's tables. */
const BY_DATASET: readonly ResultKey[] = ["judgedAccuracy", "accuracy", "stepValidity", "early", "far"];

export interface CaptionedTable {
  readonly caption: string;
  readonly table: Table;
}

/** The tables of a comparison, the same in a terminal, in Markdown and in HTML. */
export function comparisonTables(comparison: ResultsComparison): CaptionedTable[] {
  const several = comparison.datasets.length > 1;
  const all = { caption: several ? `All metrics, averages over ${comparison.datasets.length} data sets.` : "All metrics.", table: allMetricsTable(comparison) };
  if (!several) return [all];
  const shown = BY_DATASET.filter((key) => comparison.systems.some(({ macro }) => macro[key] !== undefined));
  return [
    ...shown.flatMap((key) => [
      { caption: `${resultInfo(key).label} by data set (${resultInfo(key).explanation}).`, table: systemsTable(comparison, key) },
      ...(comparison.differences.length === 0 ? [] : [{ caption: `${resultInfo(key).label}: differences to ${comparison.systems[0].name}.`, table: differencesTable(comparison, key) }]),
    ]),
    all,
  ];
}

/** What brackets, stars and p-values mean here. */
export function comparisonNote({ differences, datasets }: ResultsComparison): string {
  const questions = differences.map(({ to, datasets: own }) => `${to}: ${Object.values(own).reduce((sum, { questions: n }) => sum + n, 0)}`).join(", ");
  return [
    "Brackets: 95% bootstrap intervals over questions.",
    ...(datasets.length > 1 ? ["Averages count each data set the same."] : []),
    ...(questions === "" ? [] : [`Differences in percentage points (numbers: in their unit), paired over shared questions (${questions}); * leaves out 0; p: two-sided, by the same resamples, not corrected for the number of comparisons.`]),
  ].join(" ");
}

export function comparisonMarkdown(comparison: ResultsComparison): string {
  return `${comparisonTables(comparison).map(({ caption, table }) => `**${caption}**\n\n${markdownTable(table)}`).join("\n\n")}\n\n${comparisonNote(comparison)}\n`;
}

/** The page: tables, where chains first fail, how failures accumulate, which step fails. */
export function comparisonHtml(systems: readonly SystemResults[], comparison: ResultsComparison = compareResults(systems), title = "Comparison", date?: Date): string {
  const groups = systems.map(groupOf);
  const palette = paletteOf(groups.map(({ method }) => method));
  const reasoned = groups.filter((_, s) => systems[s].chains.some(({ verdicts }) => verdicts !== null));
  const sections = [
    { id: "tables", title: "Results", body: [...comparisonTables(comparison).map(({ caption, table }) => htmlTable(table, caption)), html`<p class="muted">${comparisonNote(comparison)}</p>`] },
    stagesSection(reasoned),
    accumulationSection(reasoned, palette),
    positionsSection(systems),
  ].filter((section): section is Section => section !== null);
  const facts = `${systems.length} ${systems.length === 1 ? "system" : "systems"} on ${comparison.datasets.join(", ")}.`;
  return renderPage({ title, facts, palette, sections, ...(date === undefined ? {} : { date }) });
}

function positionsSection(systems: readonly SystemResults[]): Section | null {
  const shown = systems.map(({ name, chains }) => ({ name, positions: stepPositions(chains) })).filter(({ positions }) => positions.length > 0);
  if (shown.length === 0) return null;
  const body: Content = shown.map(({ name, positions }) => htmlTable(positionsTable(positions), `${name}: steps by their place in the chain.`));
  return { id: "positions", title: "Which step fails", body };
}

/** A system as one run of one method, so that the report's figures can draw it: all its chains together, as in the paper. */
function groupOf({ name, chains }: SystemResults): MethodGroup {
  const judged = chains.filter(({ verdicts }) => verdicts !== null);
  const summary = summarize(judged);
  const run: ReportRun = {
    ...{ name, method: name, seed: null, config: {}, metrics: [], timings: [], timeline: [], evaluations: [], gallery: [] },
    final: {
      format: "breakwater-evaluation-1",
      ...{ name, method: name, runSeed: null, summary, kinds: {}, chains: [] },
      settings: { model: name, data: "", split: "", temperature: 0, maxTokens: 0, samplesPerQuestion: 1, seed: 0, judge: null, answerScorer: "" },
      speed: { seconds: 0, tokens: 0, tokensPerSecond: { value: null, low: null, high: null, n: 0 } },
    },
  };
  const values = Object.fromEntries(METRIC_KEYS.map((key) => [key, meanSpread([summary.metrics[key].value])])) as MethodGroup["values"];
  return { method: name, runs: [run], sources: ["held-out"], values, tokensPerSecond: meanSpread([]) };
}

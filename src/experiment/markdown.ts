import type { Estimate } from "../evaluation/bootstrap.js";
import { metricInfo } from "../evaluation/metrics.js";
import { formatDifference, formatEstimate } from "../report/format.js";
import { markdownTable, type Table } from "../report/tables.js";
import type { PairedDifference, SeedMean } from "../campaign/measures.js";
import type { Arm, PlannedRun, SeedCounts } from "./arms.js";
import type { ExperimentResults, RunResult, StartResult } from "./collect.js";
import {
  areaMeasure,
  endMeasure,
  reached,
  seedDifference,
  seedMean,
  stepsMeasure,
  thresholdsOf,
  verdictOf,
  type Measure,
  type Threshold,
} from "./measures.js";
import type { ExperimentSettings } from "./settings.js";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly platform: string;
  readonly date: Date;
}

export interface MarkdownOptions extends SeedCounts {
  readonly settings: ExperimentSettings;
  readonly arms: readonly Arm[];
  readonly command: string;
}

interface FigureNames {
  readonly start: string;
  readonly stages: string;
  readonly curves: string;
}

const ENDS = (["accuracy", "stepValidity", "early", "earlyOfAll", "far", "lucky", "stepsPerChain"] as const).map((key) => endMeasure(key));
const GREEDY = (["accuracy", "stepValidity", "early", "earlyOfAll", "far"] as const).map((key) => endMeasure(key, true));
const AREAS = (["accuracy", "stepValidity", "early", "earlyOfAll"] as const).map((key) => areaMeasure(key));
const BLAME: readonly Measure[] = [
  { key: "right-punished", label: "Right facts punished", unit: "share", better: -1, of: ({ blame }) => blame.rightPunished },
  { key: "inherited", label: "Mean advantage of a right fact after an error", unit: "number", better: 1, of: ({ blame }) => blame.inheritedAdvantage },
];
/** What the verdicts in words are about; everything else is for reading. */
const HEADLINE = [endMeasure("accuracy"), endMeasure("stepValidity"), endMeasure("early"), endMeasure("earlyOfAll"), endMeasure("far")];

/** Seeds below which no sentence is made of an interval. */
const FEWEST = 3;

/** The whole results file, from finished runs only. */
export function resultsMarkdown(
  results: ExperimentResults,
  planned: readonly PlannedRun[],
  figures: readonly FigureNames[],
  options: MarkdownOptions,
  machine: Machine,
): string {
  const sections = results.starts.map((start) => startSection(start, results.runs, planned, figures, options));
  return [
    "# Results of the experiment",
    `Written by \`${options.command}\` on ${machine.date.toISOString().slice(0, 10)}; ${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}. ${results.runs.length} of ${planned.length} planned runs are in it. Do not edit: the command writes it anew.`,
    settingsText(options),
    "## All starts in one look",
    "Difference to GRPO with the same seed at the end of training, temperature 1, in percentage points: mean [95% interval] and in how many seeds it was better. A star marks an interval that leaves out 0.",
    markdownTable(acrossStarts(results, options.arms)),
    ...sections,
    "## How to read it",
    READING,
  ].join("\n\n") + "\n";
}

function settingsText({ settings, arms }: MarkdownOptions): string {
  const { run, trainExamples, questions, curveQuestions, curveEvery } = settings;
  const list = arms.map(({ label, about }) => `- **${label}**: ${about}`).join("\n");
  return [
    `Each run: ${run.steps} steps of ${run.prompts} × ${run.groupSize} completions (SFT: ${run.prompts * run.groupSize} gold chains a step, so every method sees ${run.steps * run.prompts * run.groupSize} samples), ${trainExamples} training questions, learning rate ${run.learningRate}, β ${run.beta}, τ ${run.tau}, at most ${run.maxTokens} tokens. End points: ${questions} held-out questions, one completion each (greedy decoding: the first ${settings.greedyQuestions}), the same sampling seeds for all. Curves: ${curveQuestions} held-out questions every ${curveEvery} steps at temperature 1.`,
    list,
  ].join("\n\n");
}

function acrossStarts({ starts, runs }: ExperimentResults, arms: readonly Arm[]): Table {
  const measures = [endMeasure("accuracy"), endMeasure("stepValidity"), endMeasure("earlyOfAll")];
  return {
    columns: [left("Method"), ...starts.flatMap(({ name }) => measures.map(({ label }) => right(`${name}: ${label}`)))],
    rows: arms
      .filter(({ key }) => key !== "grpo" && runs.some((run) => run.arm.key === key))
      .map((arm) => [
        arm.label,
        ...starts.flatMap(({ name }) => {
          const own = runs.filter((run) => run.start === name);
          return measures.map((measure) => differenceCell(seedDifference(of(own, arm.key), of(own, "grpo"), measure), measure));
        }),
      ]),
  };
}

function startSection(start: StartResult, all: readonly RunResult[], planned: readonly PlannedRun[], figures: readonly FigureNames[], { arms }: MarkdownOptions): string {
  const runs = all.filter((run) => run.start === start.name);
  const shown = arms.filter(({ key }) => of(runs, key).length > 0);
  const figure = figures.find((names) => names.start === start.name);
  const thresholds = thresholdsOf(of(runs, "grpo"));
  const wanted = (arm: Arm) => planned.filter((run) => run.start === start.name && run.arm.key === arm.key).length;
  if (shown.length === 0) return `## Start: ${start.name}\n\nNo run has finished yet.`;
  const means = (measures: readonly Measure[], first: readonly string[] | null): Table => ({
    columns: [left("Method"), right("Seeds"), ...measures.map(({ label }) => right(label))],
    rows: [
      ...(first === null ? [] : [first]),
      ...shown.map((arm) => [arm.label, `${of(runs, arm.key).length} of ${wanted(arm)}`, ...measures.map((measure) => meanCell(seedMean(of(runs, arm.key), measure), measure))]),
    ],
  });
  const startRow = (summary: StartResult["sampled"], measures: readonly Measure[]) =>
    summary === null ? null : ["Start", "–", ...measures.map((measure) => formatEstimate(summary.metrics[metricOf(measure)], measure.unit))];
  const over: Table = {
    columns: [left("Method"), ...AREAS.map(({ label }) => right(`${label} (mean over training)`)), ...thresholds.map((threshold) => right(stepsMeasure(threshold).label))],
    rows: shown.map((arm) => [
      arm.label,
      ...AREAS.map((measure) => meanCell(seedMean(of(runs, arm.key), measure), measure)),
      ...thresholds.map((threshold) => stepsCell(of(runs, arm.key), threshold)),
    ]),
  };
  const compared = [...HEADLINE, ...AREAS.slice(1).map((area) => ({ ...area, label: `${area.label} (mean over training)` })), ...thresholds.map(stepsMeasure)];
  const differences = (baseline: string): Table => ({
    columns: [left("Method"), ...compared.map(({ label }) => right(label))],
    rows: shown
      .filter(({ key }) => key !== baseline)
      .map((arm) => [arm.label, ...compared.map((measure) => differenceCell(seedDifference(of(runs, arm.key), of(runs, baseline), measure), measure))]),
  });
  return [
    `## Start: ${start.name}`,
    figure === undefined ? "" : `![Where chains first fail, beside the paper's figures](${figure.stages})\n\n![Learning curves](${figure.curves})`,
    "### What the numbers show",
    findings(runs, shown),
    "### End points at temperature 1",
    markdownTable(means(ENDS, startRow(start.sampled, ENDS))),
    "### The same models, decoded greedily",
    markdownTable(means(GREEDY, startRow(start.greedy, GREEDY))),
    "### Over training",
    "Area under the held-out curve divided by the number of steps, so that it reads as a mean. Steps to a level are read off the curve by straight lines; a run that never reaches it counts with its last step, and the brackets say how many did.",
    markdownTable(over),
    "### What training did to right facts",
    "Over all training rollouts: sentences whose own new fact is right, the share of them with a negative advantage, and the mean token advantage of those that repeat an earlier error and so count as invalid. This is where step-wise shaping can do harm: a rare right fact is pushed down for what it inherits.",
    markdownTable(means(BLAME, null)),
    "### Differences to GRPO, matched by seed",
    of(runs, "grpo").length === 0 ? "No GRPO run has finished yet." : markdownTable(differences("grpo")),
    "### Differences to MRPO, matched by seed",
    of(runs, "mrpo").length === 0 ? "No MRPO run has finished yet." : markdownTable(differences("mrpo")),
  ].filter((part) => part !== "").join("\n\n");
}

/** One sentence a method, made of the intervals alone. */
function findings(runs: readonly RunResult[], shown: readonly Arm[]): string {
  const baseline = of(runs, "grpo");
  if (baseline.length < FEWEST) return `Fewer than ${FEWEST} GRPO seeds have finished: nothing can be said yet.`;
  return shown
    .filter(({ key }) => key !== "grpo")
    .map((arm) => {
      const judged = HEADLINE.map((measure) => {
        const difference = seedDifference(of(runs, arm.key), baseline, measure);
        return { label: measure.label, n: difference.n, verdict: verdictOf(difference, measure.better) };
      });
      const n = Math.max(...judged.map((row) => row.n));
      if (n < FEWEST) return `- **${arm.label}**: ${n} ${n === 1 ? "seed" : "seeds"}, too few to say.`;
      const list = (verdict: number) => judged.filter((row) => row.verdict === verdict).map(({ label }) => `“${label}”`).join(" and ");
      const parts = [
        ...(list(1) === "" ? [] : [`better than GRPO in ${list(1)}`]),
        ...(list(-1) === "" ? [] : [`worse in ${list(-1)}`]),
        ...(list(0) === "" ? [] : [`not told apart in ${list(0)}`]),
      ];
      return `- **${arm.label}** (${n} seeds): ${parts.join("; ")}.`;
    })
    .join("\n");
}

const READING = [
  "- Rows are means over seeds with 95% intervals (Student's t over seeds); the start's row has the bootstrap interval of its one evaluation over questions. Differences are taken seed by seed (same questions, same order, same sampling seeds in training).",
  "- “Better” and “worse” mean that the 95% interval of the difference leaves out 0. Nothing is corrected for the number of comparisons: of twenty differences that are none, one is expected to be marked. “Not told apart” is no proof of equality; with five seeds only large differences can be told.",
  "- Early failures are given among failing chains (the paper's figure) and among all chains: a method that removes late failures raises the first share without making a single early mistake more. The paper's figures come from 7–8B models on radiology questions; this is a model of about a million parameters on a drawn phantom. Compare shapes, not levels.",
  `- “${metricInfo("lucky").label}” is the share of right answers whose chain has a wrong step. Steps per chain show whether a method shortens its chains.`,
].join("\n");

function of(runs: readonly RunResult[], key: string): RunResult[] {
  return runs.filter((run) => run.arm.key === key);
}

function metricOf({ key }: Measure): (typeof METRIC_NAMES)[number] {
  const name = key.replace(/^greedy-/, "");
  const found = METRIC_NAMES.find((metric) => metric === name);
  if (found === undefined) throw new RangeError(`${key} is no end point`);
  return found;
}

const METRIC_NAMES = ["accuracy", "stepValidity", "early", "earlyOfAll", "far", "lucky", "stepsPerChain"] as const;

function estimateOf({ mean, interval, n }: SeedMean): Estimate {
  return { value: mean, low: interval?.low ?? null, high: interval?.high ?? null, n };
}

function meanCell(mean: SeedMean, { unit }: Measure): string {
  return formatEstimate(estimateOf(mean), unit);
}

function differenceCell(difference: PairedDifference, { unit }: Measure): string {
  const { n, wins } = difference;
  return n === 0 ? "–" : `${formatDifference(estimateOf(difference), unit)} (${wins}/${n})`;
}

function stepsCell(runs: readonly RunResult[], threshold: Threshold): string {
  const measure = stepsMeasure(threshold);
  return `${meanCell(seedMean(runs, measure), measure)} (${reached(runs, threshold)}/${runs.length})`;
}

const left = (title: string) => ({ title, align: "left" as const });
const right = (title: string) => ({ title, align: "right" as const });

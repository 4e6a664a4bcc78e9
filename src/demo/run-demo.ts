/**
 * The demo: GRPO and MRPO from the same start policy on a phantom data set, several seeds each, two runs at a time;
 * then a table, a report and summary.json.
 */
import { relative } from "node:path";
import { Board } from "../campaign/board.js";
import { evaluateModel, evaluateRun, savedEvaluation, type EndEvaluation } from "../campaign/evaluate-run.js";
import { listenForInterrupt, type Interrupt } from "../campaign/interrupt.js";
import { jobsAtOnce, phantomRunConfig, shippedStart } from "../campaign/phantom-run.js";
import { runPool } from "../campaign/pool.js";
import { completeRun } from "../campaign/train-run.js";
import { writePhantomDataset } from "../datasets/phantom/index.js";
import type { EvaluationFile } from "../evaluation/file.js";
import { collectRuns, evaluationOnly } from "../report/collect.js";
import { writeReport } from "../report/html.js";
import { methodLabel } from "../report/palette.js";
import { terminalTable } from "../report/tables.js";
import { openRun } from "../store/reader.js";
import { modelFolder } from "../training/create-parts.js";
import { duration } from "../training/display.js";
import { writeFileAtomic } from "../util/atomic-file.js";
import { openDemoFolder, type DemoFolder } from "./folder.js";
import { demoMethods, demoSettings, type DemoMethod } from "./settings.js";
import { demoSummary, demoTable, type DemoResult, type DemoRun, type DemoSummary } from "./summary.js";

export interface DemoOptions {
  readonly out: string;
  readonly seeds: number;
  readonly steps: number;
  readonly questions: number;
  /** Model folder; the shipped start policy where not given. */
  readonly start?: string;
  readonly output: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
}

interface Planned {
  readonly method: DemoMethod;
  readonly seed: number;
}

/** Runs the whole demo; `null` where it was interrupted. */
export async function runDemo(options: DemoOptions): Promise<DemoSummary | null> {
  const { out, seeds, questions, output } = options;
  const model = modelFolder(options.start ?? shippedStart(demoSettings.start));
  const planned = Array.from({ length: seeds }, (_, i) => demoMethods.map((method): Planned => ({ method, seed: i + 1 }))).flat();
  const folder = openDemoFolder(out, planned);
  const board = new Board(output);
  const interrupt = listenForInterrupt(() =>
    board.message("Finishing the running steps, then saving (once more ends at once). What is there stays; the next demo starts anew."),
  );
  try {
    const start = await trainAndEvaluate(planned, model, folder, board, interrupt, options);
    board.close();
    if (start === null) return null;
    const results: DemoResult[] = [
      { method: "start", runs: [{ evaluation: start, metrics: [], timings: [] }] },
      ...demoMethods.map((method) => ({ method, runs: planned.filter((run) => run.method === method).map((run) => readRun(run, folder, questions)) })),
    ];
    const { table, notes } = demoTable(results, demoSettings.smoothing);
    await writeReport(
      {
        title: "GRPO and MRPO on a phantom",
        lede: `Both from the same start policy, ${options.steps} steps of ${demoSettings.run.prompts} questions with ${demoSettings.run.groupSize} completions each, ${seeds} seeds.`,
        runs: [evaluationOnly(start), ...collectRuns(demoMethods.flatMap((method) => planned.filter((run) => run.method === method).map(({ seed }) => folder.run(method, seed))))],
      },
      folder.report,
    );
    const summary = demoSummary(results[0], results[1], results[2], board.seconds);
    writeFileAtomic(folder.summary, `${JSON.stringify(summary)}\n`);
    output.write(`\n${seeds} ${seeds === 1 ? "seed" : "seeds"} each, ${questions} held-out questions at temperature 1, mean ± standard deviation over seeds:\n\n`);
    output.write(`${terminalTable(table)}\n\n${notes.join("\n")}\n\n`);
    output.write(`Report:  ${shown(folder.report)}\nFigures: ${shown(folder.summary)}\n${duration(board.seconds)} in all.\n`);
    return summary;
  } finally {
    board.close();
    interrupt.close();
    folder.close();
  }
}

/** All trainings and evaluations; the start policy's evaluation, `null` where it was interrupted. */
async function trainAndEvaluate(
  planned: readonly Planned[],
  model: string,
  folder: DemoFolder,
  board: Board,
  interrupt: Interrupt,
  { steps, seeds, questions }: DemoOptions,
): Promise<EvaluationFile | null> {
  const { dataSeed, trainExamples, run: settings } = demoSettings;
  board.message(`Drawing a phantom data set: ${trainExamples} training and ${questions} held-out questions, each with its own picture.`);
  await writePhantomDataset(folder.data, { difficulty: "easy", seed: dataSeed, train: trainExamples, test: questions });
  board.message(`Training ${demoMethods.map(methodLabel).join(" and ")} from the same start, ${seeds} ${seeds === 1 ? "seed" : "seeds"} each, ${steps} steps, two runs at a time.`);
  const how: EndEvaluation = { data: folder.data, questions, temperature: 1, maxTokens: settings.maxTokens };
  let start: EvaluationFile | null = null;
  let done = 0;
  const total = planned.length + 1;
  const job = (name: string, work: (track: ReturnType<Board["track"]>) => Promise<string | null>) => async () => {
    const track = board.track(name);
    try {
      const outcome = await work(track);
      track.end();
      if (outcome === null) return;
      board.message(`${name}  ${outcome}`);
      board.setFooter(remaining(board.seconds, ++done, total));
    } catch (error) {
      track.end();
      if (!interrupt.requested()) throw error;
    }
  };
  const jobs = [
    job("start      ", async (track) => {
      start = await evaluateModel(model, "start", folder.startEvaluation, how, { signal: interrupt.signal, onProgress: track.evaluating });
      return heldOut(start);
    }),
    ...planned.map(({ method, seed }) =>
      job(`${methodLabel(method)} seed ${seed}`, async (track) => {
        const output = folder.run(method, seed);
        const config = phantomRunConfig({ method, seed, output, model, data: folder.data, settings: { ...settings, steps }, checkpointEvery: 0 });
        if (!(await completeRun(config, track.display, interrupt.requested))) return null;
        return heldOut(await evaluateRun(output, how, { signal: interrupt.signal, onProgress: track.evaluating }));
      }),
    ),
  ];
  await runPool(jobs, jobsAtOnce(), { stopped: interrupt.requested, onFailure: () => interrupt.stop() });
  return interrupt.requested() ? null : start;
}

function heldOut({ summary: { metrics } }: EvaluationFile): string {
  const share = (label: string, value: number | null) => `${label} ${value === null ? "–" : `${(100 * value).toFixed(1)}%`}`;
  return `held out:  ${share("accuracy", metrics.accuracy.value)}  ${share("valid steps", metrics.stepValidity.value)}  ${share("early failures", metrics.early.value)}`;
}

function remaining(seconds: number, done: number, total: number): string {
  // The first job is the start's evaluation, much shorter than the others.
  return done < 2 ? "" : `about ${duration((seconds / (done - 0.5)) * (total - done))} left`;
}

function readRun({ method, seed }: Planned, folder: DemoFolder, questions: number): DemoRun {
  const dir = folder.run(method, seed);
  const run = openRun(dir);
  try {
    const evaluation = savedEvaluation(dir, { data: folder.data, questions, temperature: 1, maxTokens: demoSettings.run.maxTokens });
    if (evaluation === null) throw new Error(`${dir}: its evaluation is missing`);
    return { evaluation, metrics: run.metrics(), timings: run.timings() };
  } finally {
    run.close();
  }
}

function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : near;
}

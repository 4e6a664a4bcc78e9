/** The experiment: every planned run trained and evaluated, what has finished before left out, then the results. */
import { existsSync, mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Board, type Track } from "../campaign/board.js";
import { evaluateModel, evaluateRun, savedEvaluation } from "../campaign/evaluate-run.js";
import { listenForInterrupt } from "../campaign/interrupt.js";
import { phantomRunConfig, shippedStart } from "../campaign/phantom-run.js";
import { runPool } from "../campaign/pool.js";
import { completeRun, hasFinished, requireSame } from "../campaign/train-run.js";
import { writePhantomDataset } from "../datasets/phantom/index.js";
import { lockRun } from "../store/lock.js";
import { modelFolder } from "../training/create-parts.js";
import { duration } from "../training/display.js";
import { UserError } from "../util/errors.js";
import { planRuns, type Arm, type PlannedRun, type SeedCounts } from "./arms.js";
import { collectResults } from "./collect.js";
import { endEvaluation, experimentFiles, temperatures } from "./files.js";
import type { ExperimentSettings } from "./settings.js";
import { writeResults } from "./write-results.js";

export interface ExperimentOptions extends SeedCounts {
  readonly out: string;
  /** Names of shipped start policies, or model folders. */
  readonly starts: readonly string[];
  readonly arms: readonly Arm[];
  readonly settings: ExperimentSettings;
  /** Runs side by side. */
  readonly jobs: number;
  /** Markdown file to write. */
  readonly results: string;
  /** Only write the results of what has finished. */
  readonly reportOnly: boolean;
  /** As typed, for the results. */
  readonly command: string;
  readonly output: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
}

/** False where it was interrupted; the results of what has finished are written in any case. */
export async function runExperiment(options: ExperimentOptions): Promise<boolean> {
  const out = resolve(options.out);
  const starts = options.starts.map((given) => ({ name: startName(given), given }));
  if (new Set(starts.map(({ name }) => name)).size < starts.length) {
    throw new UserError(`--starts: two of them are named ${starts[0].name}; rename a folder`);
  }
  const planned = planRuns(starts.map(({ name }) => name), options.arms, options);
  const whole = options.reportOnly || (await makeRuns(out, starts, planned, options));
  const results = collectResults(out, starts.map(({ name }) => name), planned, options.settings);
  if (results.runs.length === 0) {
    options.output.write(`no run has finished yet in ${out}: nothing to write\n`);
    return whole;
  }
  const files = writeResults(results, planned, options);
  options.output.write(`${results.runs.length} of ${planned.length} runs in ${files.join(", ")}\n`);
  if (!whole) options.output.write(`interrupted; the same command goes on where it stopped\n`);
  return whole;
}

async function makeRuns(
  out: string,
  starts: readonly { name: string; given: string }[],
  planned: readonly PlannedRun[],
  { settings, jobs: width, output }: ExperimentOptions,
): Promise<boolean> {
  const models = new Map(starts.map(({ name, given }) => [name, modelFolder(existsSync(given) ? resolve(given) : shippedStart(given))]));
  mkdirSync(out, { recursive: true });
  const lock = lockRun(out);
  const board = new Board(output);
  const interrupt = listenForInterrupt(() =>
    board.message("Finishing the running steps, then saving (once more ends at once). The same command goes on from there."),
  );
  try {
    const data = experimentFiles.data(out);
    board.message(`Data: ${settings.trainExamples} training and ${settings.questions} held-out questions in ${data}`);
    await writePhantomDataset(data, { difficulty: "easy", seed: settings.dataSeed, train: settings.trainExamples, test: settings.questions });
    const configOfRun = ({ start, arm, seed }: PlannedRun) =>
      phantomRunConfig({
        ...{ method: arm.method, seed, data, settings: settings.run, shaping: arm.shaping, checkpointEvery: 20 },
        output: experimentFiles.run(out, { start, arm, seed }),
        model: models.get(start) ?? "",
        evaluation: { every: settings.curveEvery, questions: settings.curveQuestions, temperature: 1 },
      });
    // Finished runs too: results must not mix settings.
    for (const run of planned) requireSame(configOfRun(run));
    const open = planned.filter((run) => !isDone(out, run, settings));
    board.message(`${planned.length} runs, ${planned.length - open.length} of them finished before, ${width} at a time`);
    let done = 0;
    const job = (name: string, work: (track: Track) => Promise<boolean>) => async () => {
      const track = board.track(name);
      try {
        if (await work(track)) board.message(`${name}  done`);
      } catch (error) {
        if (!interrupt.requested()) throw new Error(name, { cause: error });
      } finally {
        track.end();
      }
    };
    const progress = (track: Track) => ({ signal: interrupt.signal, onProgress: track.evaluating });
    const startJobs = starts.map(({ name }) =>
      job(`${name}: start`, async (track) => {
        for (const temperature of temperatures) {
          const file = experimentFiles.startEvaluation(out, name, temperature);
          mkdirSync(join(out, name), { recursive: true });
          await evaluateModel(models.get(name) ?? "", "start", file, endEvaluation(out, settings, temperature), progress(track));
        }
        return true;
      }),
    );
    const runJobs = open.map((run) =>
      job(`${run.start}: ${run.arm.label}, seed ${run.seed}`, async (track) => {
        const config = configOfRun(run);
        const dir = config.output;
        if (!(await completeRun(config, track.display, interrupt.requested))) return false;
        for (const temperature of temperatures) await evaluateRun(dir, endEvaluation(out, settings, temperature), progress(track));
        board.setFooter(`${++done} of ${open.length} runs, about ${duration((board.seconds / done) * (open.length - done))} left`);
        return true;
      }),
    );
    await runPool([...startJobs, ...runJobs], width, { stopped: interrupt.requested, onFailure: () => interrupt.stop() });
    return !interrupt.requested();
  } catch (error) {
    // The name of the run goes before what happened to it.
    if (error instanceof Error && error.cause instanceof UserError) throw new UserError(`${error.message}: ${error.cause.message}`);
    throw error;
  } finally {
    board.close();
    interrupt.close();
    lock.release();
  }
}

/** Trained and evaluated at every temperature. */
function isDone(out: string, run: PlannedRun, settings: ExperimentSettings): boolean {
  const dir = experimentFiles.run(out, run);
  return hasFinished(dir) && temperatures.every((temperature) => savedEvaluation(dir, endEvaluation(out, settings, temperature)) !== null);
}

function startName(given: string): string {
  return basename(resolve(given));
}

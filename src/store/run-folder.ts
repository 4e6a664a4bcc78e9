import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { flushFolder, writeFileAtomic } from "../util/atomic-file.js";
import { UserError } from "../util/errors.js";
import { JsonLinesWriter, truncateAfter } from "./json-lines.js";
import { runFiles } from "./layout.js";
import { lockRun, type RunLock } from "./lock.js";
import { RolloutsDb } from "./rollouts-db.js";
import {
  RUN_FORMAT,
  type EvaluationRow,
  type MetricsRow,
  type RunState,
  type RunStatus,
  type StoredExample,
  type StoredRollout,
  type TimelineSpan,
  type TimingsRow,
} from "./types.js";

/**
 * A run's folder opened by the training that writes it. Records of a step are written before the checkpoint of that
 * step; `rewind(S)` drops what lies after checkpoint S, so that a resumed run writes the same bytes once more.
 */
export class RunFolder {
  private readonly metrics: JsonLinesWriter;
  private readonly timings: JsonLinesWriter;
  private readonly timeline: JsonLinesWriter;
  private readonly evaluations: JsonLinesWriter;
  private readonly db: RolloutsDb;
  private readonly startedAt = Date.now();
  private answerScorer: string | undefined;

  private constructor(
    readonly dir: string,
    private readonly lock: RunLock,
  ) {
    this.metrics = new JsonLinesWriter(runFiles.metrics(dir));
    this.timings = new JsonLinesWriter(runFiles.timings(dir));
    this.timeline = new JsonLinesWriter(runFiles.timeline(dir));
    this.evaluations = new JsonLinesWriter(runFiles.evaluations(dir));
    this.db = RolloutsDb.open(runFiles.rollouts(dir));
  }

  /** Makes a new run; throws a UserError where the folder holds anything or another training writes into it. */
  static create(path: string, config: object): RunFolder {
    const dir = resolve(path);
    mkdirSync(dir, { recursive: true });
    if (existsSync(runFiles.config(dir))) {
      // A live run is told apart from a finished one by its lock.
      const lock = lockRun(dir);
      if (neverStarted(dir)) {
        for (const file of [runFiles.log(dir), runFiles.status(dir)]) rmSync(file, { force: true });
        writeFileAtomic(runFiles.config(dir), `${JSON.stringify(config, null, 2)}\n`);
        return new RunFolder(dir, lock);
      }
      lock.release();
      throw new UserError(`${dir}: holds a run already; continue it with --resume ${path} or name another folder with --output`);
    }
    const foreign = readdirSync(dir).filter((name) => !name.startsWith("run.lock"));
    if (foreign.length > 0) {
      throw new UserError(`${dir}: the folder is not empty (${foreign[0]}, …); name a new one with --output`);
    }
    const lock = lockRun(dir);
    writeFileAtomic(runFiles.config(dir), `${JSON.stringify(config, null, 2)}\n`);
    mkdirSync(runFiles.checkpoints(dir), { recursive: true });
    flushFolder(dir);
    return new RunFolder(dir, lock);
  }

  /** Opens a run to continue it and drops every record after `lastStep(dir)`, the step of its newest whole checkpoint. */
  static resume(path: string, lastStep: (dir: string) => number): RunFolder {
    const dir = resolve(path);
    if (!existsSync(runFiles.config(dir))) throw new UserError(`${dir}: no run to resume (config.json is missing)`);
    const lock = lockRun(dir);
    try {
      mkdirSync(runFiles.checkpoints(dir), { recursive: true });
      const step = lastStep(dir);
      for (const file of [runFiles.metrics(dir), runFiles.timings(dir), runFiles.timeline(dir), runFiles.evaluations(dir)]) {
        // Without a checkpoint the run starts again from the start policy: its evaluation (step 0) is made again too.
        truncateAfter(file, step === 0 ? -1 : step);
      }
      const folder = new RunFolder(dir, lock);
      folder.db.removeAfter(step);
      return folder;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  recordRollouts(examples: readonly StoredExample[], rollouts: readonly StoredRollout[]): void {
    if (rollouts.length > 0) this.db.insert(examples, rollouts);
  }

  recordStep(metrics: MetricsRow, timings: TimingsRow): void {
    this.metrics.append([metrics]);
    this.timings.append([timings]);
  }

  recordTimeline(spans: readonly TimelineSpan[]): void {
    if (spans.length > 0) this.timeline.append(spans);
  }

  recordEvaluations(rows: readonly EvaluationRow[]): void {
    if (rows.length > 0) this.evaluations.append(rows);
  }

  /** Makes all records durable; called before a checkpoint vouches for them. */
  flush(): void {
    this.metrics.flush();
    this.timings.flush();
    this.evaluations.flush();
  }

  writeStatus(state: RunState, step: number, totalSteps: number, message?: string): void {
    const status: RunStatus = {
      ...{ format: RUN_FORMAT, state, step, totalSteps, pid: process.pid },
      ...{ startedAt: this.startedAt, updatedAt: Date.now(), answerScorer: this.answerScorer, message },
    };
    writeFileAtomic(runFiles.status(this.dir), `${JSON.stringify(status, null, 2)}\n`);
  }

  /** How answers are scored, for the status and the log. */
  noteAnswerScorer(name: string): void {
    this.answerScorer = name;
    this.log(`answers: ${name}`);
  }

  /** One line into log.txt, with the time before it. */
  log(message: string): void {
    appendFileSync(runFiles.log(this.dir), `${new Date().toISOString()} ${message}\n`);
  }

  close(): void {
    this.metrics.close();
    this.timings.close();
    this.timeline.close();
    this.evaluations.close();
    this.db.close();
    this.lock.release();
  }
}

/** A run that failed before it recorded anything (its data could not be read, say): a new one may take its place. */
function neverStarted(dir: string): boolean {
  const empty = [runFiles.metrics(dir), runFiles.evaluations(dir)].every((file) => !existsSync(file) || statSync(file).size === 0);
  if (!empty || !existsSync(runFiles.status(dir))) return false;
  const checkpoints = existsSync(runFiles.checkpoints(dir)) ? readdirSync(runFiles.checkpoints(dir)) : [];
  const { state, step } = JSON.parse(readFileSync(runFiles.status(dir), "utf8")) as RunStatus;
  return state === "failed" && step === 0 && checkpoints.length === 0;
}

/** config.json of a run as written. Throws a UserError for a folder that is no run. */
export function readRunConfig(path: string): Record<string, unknown> {
  const file = runFiles.config(resolve(path));
  if (!existsSync(file)) throw new UserError(`${resolve(path)}: not a run folder (config.json is missing)`);
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  } catch (error) {
    throw new UserError(`${file}: not valid JSON: ${(error as Error).message}`);
  }
}

/** Removes what an interrupted write left under a temporary name. */
export function removeTemporary(dir: string): void {
  if (!existsSync(dir)) return;
  for (const name of readdirSync(dir)) {
    if (name.startsWith(".tmp-")) rmSync(`${dir}/${name}`, { recursive: true, force: true });
  }
}

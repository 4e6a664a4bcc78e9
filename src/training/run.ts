import { createHash } from "node:crypto";
import { join } from "node:path";
import { accountText } from "../judges/account-text.js";
import type { Judge } from "../judges/judge.js";
import { answerScorer } from "../rewards/answer.js";
import { readRunConfig, RunFolder } from "../store/run-folder.js";
import type { RunState } from "../store/types.js";
import type { Example } from "../types.js";
import { messageOf, UserError } from "../util/errors.js";
import { ENGINE_FOLDER, newestCheckpoint, pendingBatches, saveModel, type TrainerState } from "./checkpoint.js";
import { checkImages } from "./check-images.js";
import { configOf } from "./config.js";
import { examplesBetween, totalSteps } from "./data-order.js";
import type { Display } from "./display.js";
import { trainLoop } from "./loop.js";
import type { TrainingParts } from "./parts.js";
import type { TrainConfig } from "./schema.js";

export interface TrainOptions {
  /** Makes engine, codec, judge and data; closed by `train`. */
  readonly makeParts: (config: TrainConfig) => Promise<TrainingParts>;
  readonly display: Display;
  /** Asked after every step: true saves the exact state and ends. */
  readonly stopRequested?: () => boolean;
}

export interface TrainResult {
  readonly dir: string;
  readonly state: Extract<RunState, "finished" | "stopped">;
  readonly step: number;
  readonly totalSteps: number;
}

/** Starts a new run in `config.output`. */
export async function train(config: TrainConfig, options: TrainOptions): Promise<TrainResult> {
  const { output } = config;
  if (output === undefined) throw new UserError("output: a run needs a folder");
  return withParts(config, options, () => ({ run: RunFolder.create(output, config), checkpoint: null }));
}

/** Continues a run from its newest whole checkpoint, with the configuration that it began with. */
export async function resume(dir: string, options: TrainOptions): Promise<TrainResult> {
  const config = configOf(readRunConfig(dir), `${dir}/config.json`);
  return withParts(config, options, () => {
    let checkpoint: Opened["checkpoint"] = null;
    const run = RunFolder.resume(dir, (folder) => {
      const { found, refused } = newestCheckpoint(folder);
      for (const reason of refused) options.display.message(`checkpoint refused: ${reason}`);
      checkpoint = found;
      return found?.state.step ?? 0;
    });
    return { run, checkpoint };
  });
}

interface Opened {
  readonly run: RunFolder;
  readonly checkpoint: { readonly dir: string; readonly state: TrainerState } | null;
}

async function withParts(config: TrainConfig, options: TrainOptions, open: () => Opened): Promise<TrainResult> {
  // The folder is opened (and locked) first: a second training must not load a model before it is refused.
  const { run, checkpoint } = open();
  const { display } = options;
  let total = config.steps;
  let state: TrainerState | null = checkpoint?.state ?? null;
  try {
    run.log(checkpoint === null ? "start" : `resume at step ${checkpoint.state.step}`);
    const parts = await options.makeParts({ ...config, output: run.dir });
    let stopWatching = (): void => undefined;
    try {
      total = totalSteps(config, parts.examples.length);
      const fresh: TrainerState = { ...startState(config, parts.examples), answerScorer: answerScorer(parts.encoder) };
      if (checkpoint !== null) {
        checkSame(run.dir, checkpoint.state, fresh);
        await parts.engine.load(join(checkpoint.dir, ENGINE_FOLDER));
        display.message(`continuing ${run.dir} after step ${checkpoint.state.step} of ${total}`);
      }
      announce(config, parts, run, display);
      stopWatching = watchJudge(parts.judge, run, display);
      run.writeStatus("running", checkpoint?.state.step ?? 0, total);
      await checkData(config, parts, { run, display, after: checkpoint?.state.step ?? 0, total });
      const onState = (reached: TrainerState) => (state = reached);
      state = await trainLoop({
        ...{ config, parts, run, display, totalSteps: total, onState },
        state: checkpoint?.state ?? fresh,
        pending: checkpoint === null ? [] : pendingBatches(checkpoint.dir),
        stopRequested: options.stopRequested ?? (() => false),
      });
      const finished = state.step >= total;
      if (finished) await saveModel(run.dir, parts.engine);
      const outcome = finished ? "finished" : "stopped";
      run.writeStatus(outcome, state.step, total);
      run.log(`${outcome} at step ${state.step} of ${total}`);
      return { dir: run.dir, state: outcome, step: state.step, totalSteps: total };
    } finally {
      stopWatching();
      await parts.judge?.close?.();
      await parts.encoder?.close?.();
      await parts.engine.close();
    }
  } catch (error) {
    noteFailure(run, error, state?.step ?? 0, total);
    throw explained(error, run.dir);
  } finally {
    display.close();
    run.close();
  }
}

/** Says what the figures of this run rest on. */
function announce({ method, evaluation }: TrainConfig, { encoder }: TrainingParts, run: RunFolder, display: Display): void {
  if (method === "sft" && evaluation.every === 0) return;
  const scorer = answerScorer(encoder);
  run.noteAnswerScorer(scorer);
  display.message(`answers: ${scorer}`);
}

/** Shows and logs what a judge that is paid for tells and costs; the function returned ends it. */
function watchJudge(judge: Judge | null, run: RunFolder, display: Display): () => void {
  judge?.listen?.((notice) => {
    run.log(`judge: ${notice}`);
    display.message(`judge: ${notice}`);
  });
  const timer = setInterval(() => {
    const account = judge?.account?.();
    if (account !== undefined && account.calls + account.cached + account.failed > 0) display.account?.(`judge: ${accountText(account)}`);
  }, 500);
  return () => {
    clearInterval(timer);
    const account = judge?.account?.();
    if (account !== undefined) run.log(`judge ${judge?.name}: ${accountText(account)}`);
  };
}

interface Ahead {
  readonly run: RunFolder;
  readonly display: Display;
  /** Steps done, and steps in all. */
  readonly after: number;
  readonly total: number;
}

/** Opens the images that the run will come to: an unusable one ends it before a step is spent. */
async function checkData(config: TrainConfig, parts: TrainingParts, { run, display, after, total }: Ahead): Promise<void> {
  const { data, evaluation, batch, seed } = config;
  display.phase("checking images");
  const coming = examplesBetween(parts.examples, batch.prompts, seed, after, total);
  const asked = evaluation.every > 0 ? parts.heldOut.slice(0, evaluation.questions) : [];
  const notes = [
    ...(await checkImages(parts.codec, coming, data.path ?? "data")),
    ...(await checkImages(parts.codec, asked, evaluation.data.path ?? data.path ?? "data")),
  ];
  for (const note of notes) run.log(note);
  if (notes.length > 0) display.message(`${notes[0]}${notes.length > 1 ? ` (and ${notes.length - 1} more, see log.txt)` : ""}`);
}

/** State before the first step. */
function startState(config: TrainConfig, examples: readonly Example[]): TrainerState {
  // What a run may be moved or prolonged by is no part of its identity.
  const { output: _output, steps: _steps, epochs: _epochs, judge, ...rest } = config;
  const identity = { ...rest, engine: engineIdentity(rest.engine), judge: judgeIdentity(judge) };
  const data = examples.map(({ id, question, answer, goldReasoning }) => [id, question, answer, goldReasoning]);
  return { format: 1, step: 0, epoch: 0, rollouts: 0, tokens: 0, configHash: hashOf(identity), dataHash: hashOf(data) };
}

/** What decides the verdicts. Where they are asked for, how fast and for how much may change from one start to the next. */
function judgeIdentity({ kind, path, models, sendImage, maxImageSide, maxTokens, temperature }: TrainConfig["judge"]): unknown {
  return { kind, path, ...(kind === "llm" ? { models, sendImage, maxImageSide, maxTokens, temperature } : {}) };
}

/** What decides what is computed. Where a server listens and how patiently it is asked may change from one start to the next. */
function engineIdentity({ baseUrl: _baseUrl, baseModel, tinker, ...engine }: TrainConfig["engine"]): unknown {
  if (engine.kind === "local") return engine;
  const { loss, reduction, groupSeeds, maxSequenceTokens } = tinker;
  return { ...engine, baseModel, tinker: { loss, reduction, groupSeeds, maxSequenceTokens } };
}

function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

function checkSame(dir: string, saved: TrainerState, now: TrainerState): void {
  if (saved.configHash !== now.configHash) {
    throw new UserError(`${dir}/config.json: changed since the checkpoint was made; undo the change, or start a new run with --config`);
  }
  if (saved.answerScorer !== undefined && saved.answerScorer !== now.answerScorer) {
    throw new UserError(`${dir}: answers were scored by ${saved.answerScorer}, now by ${now.answerScorer}; bring the encoder back (rewards.encoder), or start a new run`);
  }
  if (saved.dataHash !== now.dataHash) {
    throw new UserError(`${dir}: the training data are not those of the checkpoint; restore them, or start a new run`);
  }
}

/** Best effort: on a full disk the status and the log cannot be written either. */
function noteFailure(run: RunFolder, error: unknown, step: number, total: number): void {
  try {
    run.writeStatus("failed", step, total, messageOf(error));
    run.log(`failed: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`);
  } catch {
    // The error itself is reported by the caller.
  }
}

/** What the file system or SQLite says of a full disk, with the way out. */
function explained(error: unknown, dir: string): unknown {
  const { code, message } = rootOf(error);
  const way = `the run is intact up to its last checkpoint; then continue with: breakwater train --resume ${dir}`;
  if (code === "ENOSPC" || code === "SQLITE_FULL" || code === "EDQUOT") {
    return new UserError(`${dir}: the disk is full (${message}); free some space: ${way}`);
  }
  if (["EIO", "EROFS", "EACCES", "EPERM", "EFBIG", "SQLITE_IOERR", "SQLITE_READONLY"].some((name) => code.startsWith(name))) {
    return new UserError(`${dir}: cannot write (${message}); mend that: ${way}`);
  }
  return error;
}

/** Code and message of what the file system or SQLite said at first. */
function rootOf(error: unknown): { code: string; message: string } {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return { code: (root as { code?: string }).code ?? "", message: messageOf(root) };
}

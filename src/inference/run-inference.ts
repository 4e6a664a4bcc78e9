import { existsSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { writeFileAtomic } from "../util/atomic-file.js";
import { UserError } from "../util/errors.js";
import { isRecord, readJsonObject } from "../util/json-file.js";
import { seedFrom } from "../util/random.js";
import { questionsHash, type Question } from "./data.js";
import type { Generator, Outcome, Task } from "./generator.js";
import { JournalWriter, readJournal } from "./journal.js";
import { readInferenceFile, splitCompletion, writeInferenceFile, type InferenceRecord } from "./record.js";

export const INFERENCE_FORMAT = "breakwater-inference-1";

/** Everything that the completions depend on, as it was asked for; another value is another file. */
export type InferenceSettings = Readonly<Record<string, string | number | boolean | null>>;

export interface InferenceOptions {
  readonly questions: readonly Question[];
  readonly settings: InferenceSettings;
  readonly out: string;
  /** Completions of each question. */
  readonly samples: number;
  readonly seed: number;
  /** The reference's six keys and no other. */
  readonly plain?: boolean;
  /** Opened only where something is left to ask. */
  readonly open: () => Promise<Generator>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number, failed: number) => void;
}

export interface InferenceResult {
  /** Completions asked for: questions times samples. */
  readonly total: number;
  /** Of them, answered before this run. */
  readonly before: number;
  readonly failed: number;
  /** How often each reason was given. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Completions without an answer tag. */
  readonly noAnswer: number;
}

/** Beside the output: what it was made with, so that a second run knows whether to go on or to refuse. */
export function settingsFile(out: string): string {
  return `${out}.settings.json`;
}

/** Beside the output while it is made: see journal.ts. */
export function journalFile(out: string): string {
  return `${out}.journal.jsonl`;
}

/**
 * Answers every question and writes the inference file in the questions' order. Answers are appended to a journal as
 * they come; a run that was stopped or killed goes on from it, one that ended asks again what had failed. The file is
 * written at the end, whole.
 * @throws UserError where `out` holds something else, made with other settings or by another program.
 */
export async function runInference(options: InferenceOptions): Promise<InferenceResult> {
  const { questions, samples, seed, out, signal } = options;
  const settings = { ...options.settings, samples, seed, plain: options.plain === true, questions: questionsHash(questions) };
  const tasks = questions.flatMap((question) =>
    Array.from({ length: samples }, (_, sample): Task => ({ question, sample, seed: seedFrom("inference", seed, question.dataset, question.example.id, sample) })),
  );
  const found = findEarlier(out, settings, tasks.length);
  const { outcomes } = found;
  const before = outcomes.filter((outcome) => outcome?.status === "done").length;
  const progress = (): void => {
    const present = outcomes.filter((outcome) => outcome !== undefined);
    options.onProgress?.(present.length, tasks.length, present.filter(({ status }) => status === "failed").length);
  };

  if (!found.complete) {
    const generator = await options.open();
    // A whole journal entry per unit: what a local unit lacks is asked again with the same neighbours.
    const starts = Array.from({ length: Math.ceil(tasks.length / generator.unit) }, (_, u) => u * generator.unit);
    const unit = (at: number): readonly Task[] => tasks.slice(at, at + generator.unit);
    const settled = (outcome: Outcome | undefined): boolean => outcome?.status === "done" || (outcome !== undefined && !generator.retriesFailures);
    const open = starts.filter((at) => !unit(at).every((_, i) => settled(outcomes[at + i])));
    for (const at of open) unit(at).forEach((_, i) => (outcomes[at + i] = undefined));
    const journal = new JournalWriter<Outcome>(journalFile(out), { format: INFERENCE_FORMAT, settings }, found.bytes);
    try {
      // A journal that is lost with its finished file would ask everything again: what the file told goes in first.
      if (found.bytes === 0) {
        const known = outcomes.flatMap((value, at) => (value === undefined ? [] : [{ at, value }]));
        if (known.length > 0) journal.add(known);
      }
      progress();
      await eachAtOnce(open, generator.concurrency, signal, async (at, stop) => {
        const values = await generator.generate(unit(at), stop);
        journal.add(values.map((value, i) => ({ at: at + i, value })));
        values.forEach((value, i) => (outcomes[at + i] = value));
        progress();
      });
    } finally {
      journal.close();
      await generator.close();
    }
  }

  const records = tasks.map((task, at) => recordOf(task, outcomes[at] ?? { status: "failed", reason: "not asked" }, samples, options.plain === true));
  const failed = outcomes.flatMap((outcome) => (outcome?.status === "failed" ? [outcome.reason] : []));
  if (!found.complete || existsSync(journalFile(out))) {
    writeInferenceFile(out, records);
    writeFileAtomic(settingsFile(out), `${JSON.stringify({ format: INFERENCE_FORMAT, settings, completions: tasks.length, failed: failed.length, failures: failures(outcomes) }, null, 2)}\n`);
    rmSync(journalFile(out), { force: true });
  }
  const reasons: Record<string, number> = {};
  for (const reason of failed) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return { total: tasks.length, before, failed: failed.length, reasons, noAnswer: records.filter((row) => row.text !== null && row.answer === null).length };
}

/** With `plain` the file does not tell failures, so the settings do: by number of the row. */
function failures(outcomes: readonly (Outcome | undefined)[]): Readonly<Record<string, string>> {
  return Object.fromEntries(outcomes.flatMap((outcome, at) => (outcome?.status === "failed" ? [[String(at), outcome.reason]] : [])));
}

function recordOf({ question, sample }: Task, outcome: Outcome, samples: number, plain: boolean): InferenceRecord {
  const { dataset, example } = question;
  const text = outcome.status === "done" ? outcome.text : null;
  const split = text === null ? { think: null, answer: null } : splitCompletion(text);
  const core = { problem: example.question, image: example.image, solution: example.answer, text, ...split };
  if (plain) return core;
  return {
    ...core,
    dataset,
    id: example.id,
    ...(example.kind === undefined ? {} : { kind: example.kind }),
    ...(samples === 1 ? {} : { sample }),
    ...(outcome.status === "failed" ? { failed: outcome.reason } : { ...(outcome.tokens === undefined ? {} : { tokens: outcome.tokens }), truncated: outcome.truncated }),
  };
}

interface Earlier {
  /** Nothing is left to ask. */
  readonly complete: boolean;
  /** By number of the task. */
  readonly outcomes: (Outcome | undefined)[];
  /** Of the journal that can be gone on with; 0 for none. */
  readonly bytes: number;
}

/** What an earlier run with the same settings left: its journal, or its finished file. */
function findEarlier(out: string, settings: InferenceSettings, total: number): Earlier {
  const outcomes = new Array<Outcome | undefined>(total).fill(undefined);
  const journal = readJournal(journalFile(out), parseOutcome);
  if (journal !== null) {
    const header = isRecord(journal.header) ? journal.header : {};
    checkSame(journalFile(out), header.settings, settings);
    for (const [at, outcome] of journal.entries) if (at < total) outcomes[at] = outcome;
    return { complete: outcomes.every((outcome) => outcome?.status === "done"), outcomes, bytes: journal.bytes };
  }
  if (!existsSync(out)) return { complete: false, outcomes, bytes: 0 };
  const wayOut = `Name another file with --out, or remove ${basename(out)}.`;
  if (!existsSync(settingsFile(out))) throw new UserError(`${out} is there already and was not written by breakwater infer (${basename(settingsFile(out))} is missing). ${wayOut}`);
  const kept = readJsonObject(settingsFile(out), wayOut);
  checkSame(settingsFile(out), kept.settings, settings);
  const failures = isRecord(kept.failures) ? kept.failures : {};
  const rows = readInferenceFile(out);
  if (rows.length !== total) throw new UserError(`${out} holds ${rows.length} rows where its settings tell of ${total}. ${wayOut}`);
  rows.forEach(({ text, tokens, truncated = false }, at) => {
    const reason = failures[String(at)];
    if (typeof reason === "string") outcomes[at] = { status: "failed", reason };
    else if (text !== null) outcomes[at] = { status: "done", text, ...(tokens === undefined ? {} : { tokens }), truncated };
  });
  return { complete: outcomes.every((outcome) => outcome?.status === "done"), outcomes, bytes: 0 };
}

function parseOutcome(value: unknown, at: number): Outcome {
  if (isRecord(value)) {
    const { status, text, reason, tokens, truncated } = value;
    if (status === "failed" && typeof reason === "string") return { status, reason };
    if (status === "done" && typeof text === "string") return { status, text, ...(typeof tokens === "number" ? { tokens } : {}), truncated: truncated === true };
  }
  throw new UserError(`the journal's entry ${at} is no outcome; remove the journal to begin anew`);
}

function checkSame(path: string, kept: unknown, now: InferenceSettings): void {
  const before = isRecord(kept) ? kept : {};
  const different = Object.keys({ ...before, ...now }).filter((key) => before[key] !== now[key]);
  if (different.length === 0) return;
  const shown = different.map((key) => (key === "questions" ? "the questions" : `${key} ${JSON.stringify(before[key] ?? null)}, now ${JSON.stringify(now[key] ?? null)}`));
  throw new UserError(`${path} tells of a run with other settings (${shown.join("; ")}). Name another file with --out, or remove that run's files.`);
}

/** Works on the items in order, `limit` at once; after the first rejection, or when aborted, no other is begun. */
async function eachAtOnce<T>(items: readonly T[], limit: number, signal: AbortSignal | undefined, work: (item: T, stop: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) stop();
  signal?.addEventListener("abort", stop, { once: true });
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      controller.signal.throwIfAborted();
      await work(items[next++], controller.signal);
    }
  };
  const workers = Array.from({ length: Math.min(limit, items.length) }, async () => {
    try {
      await worker();
    } catch (error) {
      if (!controller.signal.aborted) controller.abort(error);
      throw error;
    }
  });
  try {
    // All have ended before the journal is closed.
    await Promise.allSettled(workers);
    controller.signal.throwIfAborted();
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

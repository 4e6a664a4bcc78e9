import { access } from "node:fs/promises";
import { z } from "zod";
import type { Judge, JudgeRequest } from "../judges/judge.js";
import { messageOf, UserError } from "../util/errors.js";
import { writeJsonLine } from "../util/jsonl.js";
import { eachRecord, idSchema, type FilterIo, type RecordId } from "./filter.js";

export const judgeLine = z.object({
  id: idSchema,
  image: z.string().nullable(),
  question: z.string(),
  answer: z.string(),
  goldReasoning: z.string().nullable(),
  steps: z.array(z.string()),
});
type JudgeLine = z.infer<typeof judgeLine>;

export interface JudgeFilterOptions {
  readonly signal: AbortSignal;
  /** Lines read ahead of the one that is written next; more than are judged at a time, so that one slow chain holds up none. */
  readonly window: number;
  /** Told of every written line. */
  readonly onLine?: (status: "judged" | "unscored") => void;
}

/**
 * One chain a line → its verdict, in input order. Lines are judged as they come, several at a time. Rejects with what
 * ends all judging, after the lines before it were written. Returns the number of bad lines.
 */
export async function judgeFilter(io: FilterIo, judge: Judge, { signal, window, onLine }: JudgeFilterOptions): Promise<number> {
  let pending = 0;
  let failure: { readonly error: unknown } | null = null;
  let wake: (() => void) | null = null;
  let written: Promise<void> = Promise.resolve();
  const step = async (id: RecordId, verdict: ReturnType<Judge["judge"]>): Promise<void> => {
    try {
      const [one] = await verdict;
      if (failure !== null) return;
      const steps = one.status === "judged" ? one.steps : [];
      await writeJsonLine(io.output, { id, status: one.status, ...(one.status === "unscored" ? { reason: one.reason } : {}), steps });
      onLine?.(one.status);
    } catch (error) {
      failure ??= { error };
    } finally {
      pending--;
      wake?.();
    }
  };
  let bad = 0;
  try {
    bad = await eachRecord({ ...io, input: untilAborted(io.input, signal) }, judgeLine, async (record) => {
      const request = await requestOf(record);
      while (pending >= window && failure === null) await new Promise<void>((resolve) => (wake = resolve));
      if (failure !== null) throw new Stop();
      pending++;
      const verdict = judge.judge([request], signal);
      verdict.catch(() => undefined);
      written = written.then(() => step(record.id, verdict));
    });
  } catch (error) {
    failure ??= error instanceof Stop ? null : { error };
  }
  await written;
  if (failure !== null) throw failure.error;
  return bad;
}

/** Leaves `eachRecord`, which takes a UserError for the fault of a line. */
class Stop extends Error {}

async function requestOf({ id, image, question, answer, goldReasoning, steps }: JudgeLine): Promise<JudgeRequest> {
  if (image !== null) {
    await access(image).catch((error: unknown) => {
      const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      throw new UserError(missing ? `there is no image ${image} (from the working directory); correct the path` : `image: ${messageOf(error)}`);
    });
  }
  let text = "";
  const spans = steps.map((step) => {
    const start = text === "" ? 0 : text.length + 1;
    text = text === "" ? step : `${text} ${step}`;
    return { text: step, start, end: start + step.length };
  });
  return { example: { id: String(id), image, question, answer, goldReasoning }, text, steps: spans, answer: null };
}

/** The chunks of an input; ends with the signal's reason even while it waits for the next one. */
async function* untilAborted<T>(input: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = input[Symbol.asyncIterator]();
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  aborted.catch(() => undefined);
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    if (stop) signal.removeEventListener("abort", stop);
    // Not awaited: a pending read of a pipe would hold it up.
    void iterator.return?.().catch(() => undefined);
  }
}

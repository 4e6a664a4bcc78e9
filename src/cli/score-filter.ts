import { z } from "zod";
import { answerScores, type BertScoreEncoder } from "../rewards/answer.js";
import { writeJsonLine } from "../util/jsonl.js";
import { eachRecord, idSchema, type FilterIo, type RecordId } from "./filter.js";

const scoreLine = z.object({ id: idSchema, candidate: z.string().nullable(), reference: z.string() });

/** Lines that the encoder gets at once. */
const linesAtOnce = 64;
/** A reader that waits for each answer before it writes the next line gets it after this, milliseconds. */
const patience = 20;

interface Waiting {
  readonly id: RecordId;
  readonly line: number;
  readonly answer: string | null;
  readonly gold: string;
}

/**
 * `{id, candidate, reference}` → `{id, reward, verified, rouge1, bleu1, bertscore}`, in order. A `null` candidate is a
 * completion without an answer. Returns the number of lines that are bad or could not be scored.
 */
export async function scoreFilter(io: FilterIo, encoder: BertScoreEncoder | null): Promise<number> {
  let queue: Waiting[] = [];
  let failed = 0;
  let done: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const write = async (lines: readonly Waiting[]): Promise<void> => {
    const scores = await answerScores(lines, encoder);
    for (const [i, { id, line }] of lines.entries()) {
      const score = scores[i];
      if (score.status === "unscored") {
        failed++;
        io.errors.write(`breakwater: ${io.source}, line ${line}: id ${JSON.stringify(id)}: not scored: ${score.reason}\n`);
        continue;
      }
      const { reward, verified, rouge1, bleu1, bertScore } = score.value;
      await writeJsonLine(io.output, { id, reward, verified, rouge1, bleu1, bertscore: bertScore });
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    const lines = queue;
    queue = [];
    return (done = done.then(() => write(lines)));
  };
  const bad = await eachRecord(io, scoreLine, ({ id, candidate, reference }, line) => {
    queue.push({ id, line, answer: candidate, gold: reference });
    if (queue.length >= linesAtOnce) return flush();
    clearTimeout(timer);
    // What fails here fails again at the next flush, which is awaited.
    timer = setTimeout(() => void flush().catch(() => undefined), patience);
    return undefined;
  });
  await flush();
  return bad + failed;
}

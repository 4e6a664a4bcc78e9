import { z } from "zod";
import { assignCredit, methods, type CreditGroup, type GroupCredit } from "../advantages/credit.js";
import { decays, shapings } from "../advantages/shaping.js";
import { writeJsonLine } from "../util/jsonl.js";
import { eachRecord, idSchema, type FilterIo, type RecordId } from "./filter.js";

/** Longest completion taken, so that a slip in `tokens` does not fill the memory. */
const maxTokens = 1 << 22;

const reward = z.number({ error: "must be a number, or null where it could not be scored" }).nullable();
const weight = z.number().min(0).optional();

export const shapeOptions = z.strictObject({
  decay: z.enum(decays).optional(),
  tau: z.number().optional(),
  flipValid: z.boolean().optional(),
  answerGate: z.boolean().optional(),
  shaping: z.enum(shapings).optional(),
  penaltyCap: z.number().min(0).optional(),
  inheritedPenalty: z.number().min(0).optional(),
  weights: z.strictObject({ answer: weight, process: weight, length: weight }).optional(),
  normalise: z.enum(["std", "none"]).optional(),
});

const step = z.object({
  start: z.int().min(0),
  end: z.int().min(0),
  valid: z.boolean().nullable(),
  own: z.boolean().optional(),
  origin: z.int().min(0).nullable().optional(),
  meanProbability: z.number().min(0).max(1).optional(),
});

const rollout = z
  .object({
    rewards: z.object({ answer: reward, process: reward, length: reward }),
    tokens: z.int().min(0).max(maxTokens),
    steps: z.array(step),
    tokenProbabilities: z.array(z.number().min(0).max(1)).optional(),
  })
  .superRefine(({ tokens, steps, tokenProbabilities }, context) => {
    const fail = (path: (string | number)[], message: string): void => context.addIssue({ code: "custom", path, message });
    steps.forEach(({ start, end, origin }, k) => {
      const before = k === 0 ? 0 : steps[k - 1].end;
      if (end < start) fail(["steps", k], `span ${start}–${end} ends before it starts`);
      else if (end > tokens) fail(["steps", k], `span ${start}–${end} goes beyond the ${tokens} tokens`);
      else if (start < before) fail(["steps", k], `span ${start}–${end} overlaps the step before it, which ends at ${before}`);
      if (origin !== undefined && origin !== null && origin >= k) {
        fail(["steps", k, "origin"], `${origin} is not the index (from 0) of an earlier step`);
      }
    });
    if (tokenProbabilities && tokenProbabilities.length !== tokens) {
      fail(["tokenProbabilities"], `has ${tokenProbabilities.length} values for ${tokens} tokens`);
    }
  });

const shapeLine = z
  .object({
    id: idSchema,
    method: z.enum(methods),
    options: shapeOptions.optional(),
    rollouts: z.array(rollout).min(1, "a group needs at least one rollout"),
  })
  .superRefine(({ method, options }, context) => {
    if (method === "gdpo" && options?.normalise === "none") {
      context.addIssue({ code: "custom", path: ["options", "normalise"], message: '"none" is for grpo and mrpo; gdpo is made of normalised rewards' });
    }
  });

type Waiting = { readonly id: RecordId; readonly group: CreditGroup } | { readonly id: RecordId; readonly credit: GroupCredit };

/**
 * One group a line → `{id, advantages, tokenAdvantages}`, in input order. GRPO and MRPO lines go out at once; from the
 * first GDPO line on everything waits for the end of the input, over all of which GDPO normalises.
 */
export async function shapeFilter(io: FilterIo): Promise<number> {
  const waiting: Waiting[] = [];
  const bad = await eachRecord(io, shapeLine, async ({ id, ...group }) => {
    if (group.method === "gdpo") {
      waiting.push({ id, group });
      return;
    }
    const [credit] = assignCredit([group]);
    if (waiting.length === 0) await write(io, id, credit);
    else waiting.push({ id, credit });
  });
  const gdpo = assignCredit(waiting.flatMap((entry) => ("group" in entry ? [entry.group] : [])));
  let next = 0;
  for (const entry of waiting) await write(io, entry.id, "group" in entry ? gdpo[next++] : entry.credit);
  return bad;
}

function write(io: FilterIo, id: RecordId, { advantages, tokenAdvantages }: GroupCredit): Promise<void> {
  return writeJsonLine(io.output, { id, advantages, tokenAdvantages });
}

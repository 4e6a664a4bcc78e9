import { z } from "zod";
import { segment, type ThinkTag } from "../steps/segment.js";
import { writeJsonLine } from "../util/jsonl.js";
import { eachRecord, idSchema, type FilterIo } from "./filter.js";

const thinkTag = z.enum(["think", "thinking"]);

const stepsLine = z.object({
  id: idSchema,
  text: z.string(),
  thinkTag: thinkTag.optional(),
  opened: z.boolean().optional(),
});

export interface StepsDefaults {
  readonly thinkTag?: ThinkTag;
  readonly opened?: boolean;
}

/** `{id, text}` → `{id, answer, steps: [{text, start, end}]}`, line by line. Returns the number of bad lines. */
export function stepsFilter(io: FilterIo, defaults: StepsDefaults = {}): Promise<number> {
  return eachRecord(io, stepsLine, async (line) => {
    const { answer, steps } = segment(line.text, {
      thinkTag: line.thinkTag ?? defaults.thinkTag,
      opened: line.opened ?? defaults.opened,
    });
    await writeJsonLine(io.output, { id: line.id, answer, steps });
  });
}

import { z } from "zod";
import { summariseCascades, type ChainValidity } from "../evaluation/cascade.js";
import { writeJsonLine } from "../util/jsonl.js";
import { eachRecord, idSchema, type FilterIo } from "./filter.js";

const cascadeLine = z.object({
  id: idSchema,
  valid: z.array(z.boolean({ error: "must be true, false, or null where it could not be judged" }).nullable()),
});

/** `{id, valid}` lines → one summary when the input has ended. Returns the number of bad lines. */
export async function cascadeFilter(io: FilterIo): Promise<number> {
  const chains: ChainValidity[] = [];
  const bad = await eachRecord(io, cascadeLine, ({ valid }) => {
    chains.push(valid);
  });
  await writeJsonLine(io.output, { ...summariseCascades(chains), badLines: bad });
  return bad;
}

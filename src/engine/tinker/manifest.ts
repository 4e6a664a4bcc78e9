/** tinker.json: where on the server the weights of a saved folder lie. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../../util/atomic-file.js";
import { UserError } from "../../util/errors.js";
import { firstIssue } from "../../util/first-issue.js";
import { readJson } from "../../util/json-file.js";

export const manifestName = "tinker.json";

const manifestSchema = z.object({
  format: z.literal(1),
  what: z.enum(["weights", "state"]),
  server: z.string(),
  baseModel: z.string(),
  /** 0: full fine-tuning. */
  loraRank: z.number().int().min(0),
  /** tinker:// path of weights and optimiser. */
  state: z.string(),
  /** tinker:// path of weights for sampling; null where none were kept. */
  sampler: z.string().nullable(),
  optimizerSteps: z.number().int().min(0),
});

export type Manifest = z.infer<typeof manifestSchema>;

export function writeManifest(dir: string, manifest: Manifest): void {
  writeFileAtomic(join(dir, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** null where the folder has none. @throws UserError for one that cannot be read. */
export function readManifest(dir: string): Manifest | null {
  const path = join(dir, manifestName);
  if (!existsSync(path)) return null;
  const parsed = manifestSchema.safeParse(readJson(path, "It says where the server keeps the weights: take another checkpoint."));
  if (parsed.success) return parsed.data;
  throw new UserError(`${path}: ${firstIssue(parsed.error, "the file")}; take another checkpoint`);
}

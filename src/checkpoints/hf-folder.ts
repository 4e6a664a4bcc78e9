import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { flushFolder, writeFileAtomic } from "../util/atomic-file.js";
import { UserError } from "../util/errors.js";
import { type JsonObject, readJsonObject as readObject } from "../util/json-file.js";
import { type FloatFormat, readCheckpoint, type Tensor, writeSafetensors } from "./safetensors.js";

export type { JsonObject };

/** What lies beside the weights, kept byte for byte when a model is loaded and saved again. */
export const COMPANION_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "vocab.json",
  "merges.txt",
  "preprocessor_config.json",
  "processor_config.json",
  "chat_template.jinja",
  "chat_template.json",
  "generation_config.json",
] as const;

/** A model in the layout of the Hugging Face hub. */
export interface ModelFolder {
  /** config.json, parsed. */
  readonly config: JsonObject;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Companion files by name, as bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** @throws UserError where config.json or the weights are missing or unsound. */
export function loadModelFolder(dir: string): ModelFolder {
  return { config: readJsonObject(join(dir, "config.json")), tensors: readCheckpoint(dir), files: readCompanions(dir) };
}

/** Ids that end a completion: of generation_config.json, else of config.json, else of its text part. */
export function endTokenIds(generation: JsonObject, config: JsonObject, text: JsonObject): number[] {
  const value = generation.eos_token_id ?? config.eos_token_id ?? text.eos_token_id;
  const ids: unknown[] = Array.isArray(value) ? value : [value];
  return ids.filter((id): id is number => typeof id === "number");
}

/** The companion files that exist in `dir`. */
export function readCompanions(dir: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const name of COMPANION_FILES) {
    const path = join(dir, name);
    if (existsSync(path)) files.set(name, readFileSync(path));
  }
  return files;
}

/** Writes the folder; config.json comes last, so a folder that was cut short has none and is refused by `loadModelFolder`. */
export function saveModelFolder(dir: string, model: ModelFolder, { format = "F32" }: { format?: FloatFormat } = {}): void {
  for (const [name, bytes] of model.files) writeFileAtomic(join(dir, name), bytes);
  writeSafetensors(join(dir, "model.safetensors"), model.tensors, { format });
  const dtype = { F32: "float32", F16: "float16", BF16: "bfloat16" }[format];
  // Older transformers read torch_dtype, newer ones dtype: whichever the config has is kept true.
  const config = { ...model.config, ...("torch_dtype" in model.config ? { torch_dtype: dtype } : { dtype }) };
  writeFileAtomic(join(dir, "config.json"), JSON.stringify(config, null, 2) + "\n");
  flushFolder(dir);
}

/**
 * Checks that every expected tensor is there with its shape; more tensors than expected are allowed.
 * @throws UserError naming `path`, up to five of the tensors, expected and found shapes, and the way out.
 */
export function expectTensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  expected: ReadonlyMap<string, readonly number[]>,
): void {
  const missing = [...expected.keys()].filter((name) => !tensors.has(name));
  if (missing.length > 0) {
    throw new UserError(
      `${path}: ${missing.length} of ${expected.size} tensors are missing: ${some(missing)}. Its config.json describes another model than its weights: use the two files of one checkpoint.`,
    );
  }
  const wrong: string[] = [];
  for (const [name, shape] of expected) {
    const found = tensors.get(name)?.shape ?? [];
    if (found.length !== shape.length || found.some((n, i) => n !== shape[i])) {
      wrong.push(`"${name}" has shape [${found.join(", ")}], config.json asks for [${shape.join(", ")}]`);
    }
  }
  if (wrong.length > 0) {
    throw new UserError(`${path}: ${wrong.slice(0, 5).join("; ")}${wrong.length > 5 ? `; and ${wrong.length - 5} more` : ""}. Use the config.json that was saved with these weights.`);
  }
}

/** @throws UserError where the file is missing or is not a JSON object. */
export function readJsonObject(path: string): JsonObject {
  return readObject(path, "Give a folder in the Hugging Face layout (config.json, model.safetensors, tokenizer.json, …) whose files are whole.");
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => `"${name}"`).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

import { join } from "node:path";
import { flushFolder, writeFileAtomic } from "../util/atomic-file.js";
import { UserError } from "../util/errors.js";
import { type JsonObject, readJsonObject } from "./hf-folder.js";
import { type FloatFormat, readSafetensors, type Tensor, writeSafetensors } from "./safetensors.js";

/** Low-rank weights of one linear module: y += (alpha / rank) · B·A·x. */
export interface LoraWeights {
  /** `[rank, in]` */
  readonly a: Tensor;
  /** `[out, rank]` */
  readonly b: Tensor;
}

/** A LoRA adapter in the layout of the PEFT library. */
export interface LoraAdapter {
  readonly rank: number;
  readonly alpha: number;
  /** Name or folder of the model that it was trained on; `null` where unknown. */
  readonly baseModel: string | null;
  /** By module, as the base model names it: `model.language_model.layers.0.self_attn.q_proj`. */
  readonly modules: ReadonlyMap<string, LoraWeights>;
}

const PREFIX = "base_model.model.";

/** Factor of B·A in the forward pass. */
export function loraScale(adapter: Pick<LoraAdapter, "rank" | "alpha">): number {
  return adapter.alpha / adapter.rank;
}

/** Writes adapter_model.safetensors, then adapter_config.json, each whole or not at all. */
export function writeAdapter(dir: string, adapter: LoraAdapter, { format = "F32" }: { format?: FloatFormat } = {}): void {
  const tensors = new Map<string, Tensor>();
  for (const [module, { a, b }] of adapter.modules) {
    tensors.set(`${PREFIX}${module}.lora_A.weight`, a);
    tensors.set(`${PREFIX}${module}.lora_B.weight`, b);
  }
  writeSafetensors(join(dir, "adapter_model.safetensors"), tensors, { format });
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: adapter.baseModel,
    r: adapter.rank,
    lora_alpha: adapter.alpha,
    lora_dropout: 0,
    // Whole names, not suffixes: "q_proj" would also match modules of the vision tower that were not trained.
    target_modules: [...adapter.modules.keys()].sort(),
    bias: "none",
    fan_in_fan_out: false,
    use_rslora: false,
    use_dora: false,
    modules_to_save: null,
    inference_mode: true,
  };
  writeFileAtomic(join(dir, "adapter_config.json"), JSON.stringify(config, null, 2) + "\n");
  flushFolder(dir);
}

/**
 * @throws UserError for anything but a plain LoRA (rsLoRA, DoRA, per-module ranks, saved whole modules), for a module
 * with one of its two matrices, and for shapes that do not fit the rank.
 */
export function readAdapter(dir: string): LoraAdapter {
  const configPath = join(dir, "adapter_config.json");
  const config = readJsonObject(configPath);
  const rank = positive(config, "r", configPath);
  const alpha = positive(config, "lora_alpha", configPath);
  if (config.peft_type !== "LORA") throw new UserError(`${configPath}: peft_type is ${JSON.stringify(config.peft_type)}; only "LORA" can be read.`);
  for (const key of ["use_rslora", "use_dora", "fan_in_fan_out", "modules_to_save", "rank_pattern", "alpha_pattern"]) {
    const value = config[key];
    const unset = !value || (typeof value === "object" && Object.keys(value).length === 0);
    if (!unset) throw new UserError(`${configPath}: "${key}" is ${JSON.stringify(value)}, which is not supported. Merge this adapter into its base model and use the merged model.`);
  }
  const path = join(dir, "adapter_model.safetensors");
  const halves = new Map<string, { a?: Tensor; b?: Tensor }>();
  for (const [name, tensor] of readSafetensors(path)) {
    const match = /^base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight$/.exec(name);
    if (!match) throw new UserError(`${path}: "${name}" is not a LoRA weight (base_model.model.<module>.lora_A.weight). Merge this adapter into its base model and use the merged model.`);
    const half = halves.get(match[1]) ?? {};
    if (match[2] === "A") half.a = tensor;
    else half.b = tensor;
    halves.set(match[1], half);
  }
  const modules = new Map<string, LoraWeights>();
  for (const [module, { a, b }] of halves) {
    if (!a || !b) throw new UserError(`${path}: module "${module}" has no lora_${a ? "B" : "A"}; the file is incomplete, copy it again.`);
    if (a.shape.length !== 2 || b.shape.length !== 2 || a.shape[0] !== rank || b.shape[1] !== rank) {
      throw new UserError(`${path}: module "${module}" has A [${a.shape.join(", ")}] and B [${b.shape.join(", ")}], adapter_config.json says rank ${rank}. Use the two files of one adapter.`);
    }
    modules.set(module, { a, b });
  }
  const base = config.base_model_name_or_path;
  return { rank, alpha, baseModel: typeof base === "string" ? base : null, modules };
}

function positive(config: JsonObject, key: string, path: string): number {
  const value = config[key];
  if (typeof value !== "number" || !(value > 0)) throw new UserError(`${path}: "${key}" is ${JSON.stringify(value)}; it must be a positive number.`);
  return value;
}

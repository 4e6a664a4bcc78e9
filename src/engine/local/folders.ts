/** Between Hugging Face folders and the engine's flat buffers. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readAdapter, writeAdapter } from "../../checkpoints/adapter.js";
import { endTokenIds, expectTensors, loadModelFolder, readJsonObject, saveModelFolder, type JsonObject } from "../../checkpoints/hf-folder.js";
import { readSafetensors, readSafetensorsMetadata, writeSafetensors, type Tensor } from "../../checkpoints/safetensors.js";
import { UserError } from "../../util/errors.js";
import { RandomStream, seedFrom } from "../../util/random.js";
import { parseQwen3VLConfig, type Qwen3VLConfig } from "./model/config.js";
import { parameterShapes } from "./model/parameters.js";
import type { LoraSpec } from "./model/weights.js";
import type { AdamWState } from "./runtime/adamw.js";
import { adapterShapes } from "./runtime/model.js";
import { FlatTensors } from "./runtime/parameters.js";

export interface LoraOptions {
  readonly rank: number;
  readonly alpha: number;
  /** Suffixes of module names in the decoder, e.g. q_proj. */
  readonly targets: readonly string[];
}

export interface OpenedModel {
  readonly folder: string;
  readonly config: Qwen3VLConfig;
  readonly lora: LoraSpec | null;
  /** Flat trainable tensors: all weights, or the adapters. */
  readonly trainable: Float32Array;
  /** Flat base weights where adapters train. */
  readonly frozen: Float32Array | null;
  readonly endTokens: readonly number[];
  /** config.json as it was, and the companion files, for saving. */
  readonly json: JsonObject;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const float32 = (n: number): Float32Array => new Float32Array(n);
const patchKernel = "model.visual.patch_embed.proj.weight";

/** The patch kernel is a 5-D convolution on disk and a matrix in the graphs; the numbers lie the same way. */
function diskShapes(config: Qwen3VLConfig, json: JsonObject): Map<string, readonly number[]> {
  const shapes = parameterShapes(config);
  const v = json.vision_config as { in_channels?: number; temporal_patch_size?: number; patch_size?: number };
  shapes.set(patchKernel, [config.vision.width, v.in_channels ?? 3, v.temporal_patch_size ?? 2, v.patch_size ?? 16, v.patch_size ?? 16]);
  return shapes;
}

function flatten(tensors: ReadonlyMap<string, Tensor>, shapes: ReadonlyMap<string, readonly number[]>): Float32Array {
  const flat = new FlatTensors(shapes, float32);
  for (const name of shapes.keys()) flat.view(name).set(tensors.get(name)?.data ?? []);
  return flat.flat;
}

function unflatten(values: Float32Array, shapes: ReadonlyMap<string, readonly number[]>): Map<string, Tensor> {
  const flat = new FlatTensors(shapes, () => values);
  return new Map([...shapes].map(([name, shape]) => [name, { shape, data: flat.view(name) }]));
}

function endTokensOf(folder: string, json: JsonObject): number[] {
  const path = join(folder, "generation_config.json");
  const generation = existsSync(path) ? readJsonObject(path) : {};
  return endTokenIds(generation, json, (json.text_config ?? {}) as JsonObject);
}

function loraSpec(config: Qwen3VLConfig, { rank, alpha, targets }: LoraOptions): LoraSpec {
  if (!Number.isInteger(rank) || rank < 1) throw new UserError(`engine.lora.rank is ${rank}: give a whole number from 1 on`);
  const linears = [...parameterShapes(config)].filter(([name, shape]) => name.includes(".layers.") && shape.length === 2).map(([name]) => name.replace(/\.weight$/, ""));
  const modules = linears.filter((name) => targets.some((t) => name.endsWith(`.${t}`)));
  if (modules.length === 0) {
    const known = [...new Set(linears.map((name) => name.split(".").pop()))];
    throw new UserError(`engine.lora.targets [${targets.join(", ")}] match no module; known: ${known.join(", ")}`);
  }
  return { rank, alpha, modules: new Set(modules) };
}

/** A from U(−1/√in, 1/√in) as PEFT draws it (Kaiming uniform with a = √5), B zero: the adapter starts as nothing. */
function freshAdapter(shapes: ReadonlyMap<string, readonly number[]>, seed: number): Float32Array {
  const flat = new FlatTensors(shapes, float32);
  for (const [name, shape] of shapes) {
    if (name.endsWith(".lora_B.weight")) continue;
    const random = new RandomStream(seedFrom(seed, name));
    const view = flat.view(name);
    for (let i = 0; i < view.length; i++) view[i] = (2 * random.uniform() - 1) / Math.sqrt(shape[1]);
  }
  return flat.flat;
}

export interface OpenOptions {
  readonly model: string;
  readonly adapter?: string;
  readonly trainable?: "full" | "lora";
  readonly lora?: LoraOptions;
  readonly seed?: number;
}

const defaultLora: LoraOptions = { rank: 16, alpha: 32, targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] };

/** @throws UserError for a folder that is no Qwen3-VL model, a missing tensor or one of another shape. */
export function openModel(options: OpenOptions): OpenedModel {
  const { model: folder, adapter, trainable = adapter === undefined ? "full" : "lora", seed = 0 } = options;
  const { config: json, tensors, files } = loadModelFolder(folder);
  const config = parseQwen3VLConfig(json, join(folder, "config.json"));
  const onDisk = diskShapes(config, json);
  const named = withTiedHead(tensors, config);
  expectTensors(folder, named, onDisk);
  const base = flatten(named, parameterShapes(config));
  const common = { folder, config, json, files, endTokens: endTokensOf(folder, json) };
  if (trainable === "full") {
    if (adapter !== undefined) throw new UserError(`model.adapter ${adapter} is given, engine.trainable is "full": set it to "lora"`);
    return { ...common, lora: null, trainable: base, frozen: null };
  }
  if (adapter === undefined) {
    const lora = loraSpec(config, { ...defaultLora, ...options.lora });
    return { ...common, lora, trainable: freshAdapter(adapterShapes(parameterShapes(config), lora), seed), frozen: base };
  }
  const read = readAdapter(adapter);
  const lora: LoraSpec = { rank: read.rank, alpha: read.alpha, modules: new Set(read.modules.keys()) };
  return { ...common, lora, trainable: flatten(adapterTensors(adapter, config, lora), adapterShapes(parameterShapes(config), lora)), frozen: base };
}

/** Some checkpoints of tied models repeat the embedding as lm_head.weight: the graphs have it once. */
function withTiedHead(tensors: ReadonlyMap<string, Tensor>, config: Qwen3VLConfig): ReadonlyMap<string, Tensor> {
  if (!config.text.tied || !tensors.has("lm_head.weight")) return tensors;
  return new Map([...tensors].filter(([name]) => name !== "lm_head.weight"));
}

function adapterTensors(dir: string, config: Qwen3VLConfig, lora: LoraSpec): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [module, { a, b }] of readAdapter(dir).modules) {
    tensors.set(`${module}.lora_A.weight`, a);
    tensors.set(`${module}.lora_B.weight`, b);
  }
  expectTensors(join(dir, "adapter_model.safetensors"), tensors, adapterShapes(parameterShapes(config), lora));
  return tensors;
}

/** Writes the trained weights: a whole Hugging Face folder, or a PEFT adapter beside the base's name. */
export function saveWeights(opened: OpenedModel, weights: Float32Array, dir: string): void {
  if (!opened.lora) {
    saveModelFolder(dir, { config: opened.json, tensors: unflatten(weights, diskShapes(opened.config, opened.json)), files: opened.files });
    return;
  }
  const tensors = unflatten(weights, adapterShapes(parameterShapes(opened.config), opened.lora));
  const half = (name: string): Tensor => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    return tensor;
  };
  const modules = new Map([...opened.lora.modules].map((m) => [m, { a: half(`${m}.lora_A.weight`), b: half(`${m}.lora_B.weight`) }]));
  writeAdapter(dir, { rank: opened.lora.rank, alpha: opened.lora.alpha, baseModel: opened.folder, modules });
}

const optimizerFile = "optimizer.safetensors";

/** Adds the optimiser's moments (flat, in the order of the trainable tensors) beside the weights. */
export function saveState(dir: string, state: AdamWState): void {
  const moment = (data: Float32Array): Tensor => ({ shape: [data.length], data });
  const tensors = new Map([
    ["exp_avg", moment(state.first)],
    ["exp_avg_sq", moment(state.second)],
  ]);
  writeSafetensors(join(dir, optimizerFile), tensors, { metadata: { format: "pt", steps: String(state.steps) } });
}

/** Restores weights and moments in place. */
export function loadState(opened: OpenedModel, dir: string, weights: Float32Array, state: AdamWState): void {
  const path = join(dir, optimizerFile);
  const moments = readSafetensors(path);
  expectTensors(path, moments, new Map([["exp_avg", [weights.length]], ["exp_avg_sq", [weights.length]]]));
  const saved = opened.lora ? flatten(adapterTensors(dir, opened.config, opened.lora), adapterShapes(parameterShapes(opened.config), opened.lora)) : openModel({ model: dir }).trainable;
  weights.set(saved);
  state.first.set(moments.get("exp_avg")?.data ?? []);
  state.second.set(moments.get("exp_avg_sq")?.data ?? []);
  state.steps = Number(readSafetensorsMetadata(path).steps);
}

/** The weights of an encoder's folder under the names of a bare Hugging Face encoder, whatever head it was saved with. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readCheckpoint, type Tensor } from "../../../checkpoints/safetensors.js";
import { UserError } from "../../../util/errors.js";
import { isRecord, readJsonObject } from "../../../util/json-file.js";
import { bertShapes, type BertConfig } from "./config.js";
import { readTorchFile } from "./torch-file.js";

const torchFile = "pytorch_model.bin";

/**
 * The tensors that a pass up to block `layer` needs; heads, poolers and later blocks are dropped.
 * @throws UserError where a tensor is missing or has another shape than config.json says.
 */
export function readBertWeights(folder: string, config: BertConfig, layer: number): Map<string, Float32Array> {
  const shapes = bertShapes(config, layer);
  const found = new Map<string, Tensor>();
  for (const [name, tensor] of readAny(folder)) {
    const plain = plainName(name);
    if (shapes.has(plain)) found.set(plain, tensor);
  }
  const weights = new Map<string, Float32Array>();
  for (const [name, shape] of shapes) {
    const tensor = found.get(name);
    if (tensor === undefined) throw new UserError(`${folder}: the weights have no tensor "${name}", which config.json asks for; name the folder of a whole BERT-family encoder`);
    if (tensor.shape.join() !== shape.join()) {
      throw new UserError(`${folder}: tensor "${name}" has the shape [${tensor.shape.join(", ")}], config.json says [${shape.join(", ")}]; files of two checkpoints are mixed`);
    }
    weights.set(name, tensor.data);
  }
  return weights;
}

/** Whether there are weights that `readBertWeights` reads. */
export function hasWeights(folder: string): boolean {
  return ["model.safetensors", "model.safetensors.index.json", torchFile, `${torchFile}.index.json`].some((file) => existsSync(join(folder, file)));
}

function readAny(folder: string): ReadonlyMap<string, Tensor> {
  const has = (file: string): boolean => existsSync(join(folder, file));
  if (has("model.safetensors") || has("model.safetensors.index.json")) return readCheckpoint(folder);
  if (has(torchFile)) return readTorchFile(join(folder, torchFile));
  if (has(`${torchFile}.index.json`)) return readTorchShards(folder);
  throw new UserError(`${folder} has no weights: neither model.safetensors nor ${torchFile} (or shards of them) is there; name the folder of a whole encoder`);
}

function readTorchShards(folder: string): Map<string, Tensor> {
  const index = join(folder, `${torchFile}.index.json`);
  const map = readJsonObject(index, "Copy or download the file again.").weight_map;
  const files = new Set(isRecord(map) ? Object.values(map).map(String) : []);
  const all = new Map<string, Tensor>();
  for (const file of files) {
    if (!/^[\w.-]+$/.test(file)) throw new UserError(`${index}: "${file}" is not a file name; copy or download the file again`);
    for (const [name, tensor] of readTorchFile(join(folder, file))) all.set(name, tensor);
  }
  return all;
}

/** `bert.`, `roberta.`, … of models with a head are taken off; LayerNorms of the first checkpoints say gamma and beta. */
function plainName(name: string): string {
  return name
    .replace(/^(?:module\.)?(?:(?:bert|roberta|electra|camembert)\.)?/, "")
    .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
    .replace(/LayerNorm\.beta$/, "LayerNorm.bias");
}

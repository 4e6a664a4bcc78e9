/** What a forward pass needs of the config.json of a BERT-family encoder. */
import { UserError } from "../../../util/errors.js";
import type { JsonObject } from "../../../util/json-file.js";

export type Activation = "gelu" | "gelu-tanh" | "relu";

export interface BertConfig {
  readonly vocabulary: number;
  /** D */
  readonly width: number;
  /** Width of the embedding table; other than D only in ELECTRA's small models, which project it. */
  readonly embeddingWidth: number;
  /** Blocks in the checkpoint. */
  readonly depth: number;
  readonly heads: number;
  readonly inner: number;
  /** Rows of the position table. */
  readonly positions: number;
  /** Row of the first token: 0, and padding id + 1 in the RoBERTa family. */
  readonly firstPosition: number;
  /** 0: no token types (their row 0 is added where there are some). */
  readonly tokenTypes: number;
  readonly eps: number;
  readonly activation: Activation;
  readonly padding: number;
}

const plain = ["bert", "electra"];
const shifted = ["roberta", "xlm-roberta", "camembert"];
const activations: Readonly<Record<string, Activation>> = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  gelu_fast: "gelu-tanh",
  relu: "relu",
};

/** @throws UserError for an architecture, activation or position scheme that is not BERT's. */
export function parseBertConfig(json: JsonObject, path: string): BertConfig {
  const type = String(json.model_type ?? "bert");
  if (![...plain, ...shifted].includes(type)) {
    throw new UserError(`${path}: model_type "${type}" is no BERT-family encoder that is built in (${[...plain, ...shifted].join(", ")}); export it to ONNX and name the .onnx file`);
  }
  const positionType = json.position_embedding_type ?? "absolute";
  if (positionType !== "absolute") throw new UserError(`${path}: position_embedding_type ${JSON.stringify(positionType)} is not built in; export the encoder to ONNX and name the .onnx file`);
  const count = (key: string, fallback?: number): number => {
    const value = json[key] ?? fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0) throw new UserError(`${path}: ${key} is ${JSON.stringify(value)}, needs a whole number; copy the file again`);
    return value;
  };
  const act = String(json.hidden_act ?? "gelu");
  if (!(act in activations)) throw new UserError(`${path}: hidden_act "${act}" is not built in (${Object.keys(activations).join(", ")})`);
  const roberta = shifted.includes(type);
  const width = count("hidden_size");
  const heads = count("num_attention_heads");
  if (heads === 0 || width % heads !== 0) throw new UserError(`${path}: hidden_size ${width} does not divide into ${heads} heads`);
  const padding = count("pad_token_id", roberta ? 1 : 0);
  return {
    vocabulary: count("vocab_size"),
    width,
    embeddingWidth: count("embedding_size", width),
    depth: count("num_hidden_layers"),
    heads,
    inner: count("intermediate_size"),
    positions: count("max_position_embeddings"),
    firstPosition: roberta ? padding + 1 : 0,
    tokenTypes: count("type_vocab_size", roberta ? 1 : 2),
    eps: typeof json.layer_norm_eps === "number" ? json.layer_norm_eps : 1e-12,
    activation: activations[act],
    padding,
  };
}

/** Shapes of the tensors up to block `layer`, by the names that a bare Hugging Face encoder gives them. */
export function bertShapes(config: BertConfig, layer: number): Map<string, readonly number[]> {
  const { width: d, inner, embeddingWidth: e } = config;
  const shapes = new Map<string, readonly number[]>([
    ["embeddings.word_embeddings.weight", [config.vocabulary, e]],
    ["embeddings.position_embeddings.weight", [config.positions, e]],
  ]);
  const norm = (name: string, size: number) => shapes.set(`${name}.weight`, [size]).set(`${name}.bias`, [size]);
  const linear = (name: string, outputs: number, inputs: number) => shapes.set(`${name}.weight`, [outputs, inputs]).set(`${name}.bias`, [outputs]);
  if (config.tokenTypes > 0) shapes.set("embeddings.token_type_embeddings.weight", [config.tokenTypes, e]);
  norm("embeddings.LayerNorm", e);
  if (e !== d) linear("embeddings_project", d, e);
  for (let i = 0; i < layer; i++) {
    const block = `encoder.layer.${i}`;
    for (const part of ["query", "key", "value"]) linear(`${block}.attention.self.${part}`, d, d);
    linear(`${block}.attention.output.dense`, d, d);
    norm(`${block}.attention.output.LayerNorm`, d);
    linear(`${block}.intermediate.dense`, inner, d);
    linear(`${block}.output.dense`, d, inner);
    norm(`${block}.output.LayerNorm`, d);
  }
  return shapes;
}

/** One copy of the model in one thread: its weights, its compiled graphs, its gradient accumulator. */
import type { LossSpec } from "../../engine.js";
import type { FloatType } from "../graph/graph.js";
import type { Qwen3VLConfig } from "../model/config.js";
import { trainFeeds, trainOutputs } from "../model/feeds.js";
import { embeddingName, headName, parameterShapes } from "../model/parameters.js";
import { buildDecodeGraph, type DecodeShape, type DecodeSizes } from "../model/sample-graphs.js";
import { buildTrainGraph, completionRowsSize, type TrainMode } from "../model/train-graph.js";
import type { LoraSpec } from "../model/weights.js";
import { microBatches, trainFeedsOf, type Feed, type FloatArray, type Floats, type MicroBatch, type PackOptions, type Row } from "./pack.js";
import { FlatTensors } from "./parameters.js";
import { Sessions, type RunnableGraph, type SessionOptions } from "./sessions.js";

export interface ModelOptions extends SessionOptions {
  /** null: all weights train. */
  readonly lora: LoraSpec | null;
  /** Most rows of a micro-batch. */
  readonly maxRows: number;
  /** Weights above which decoding feeds them at every step, 100 million where not given: a copy in its graph costs memory. */
  readonly mostInGraph?: number;
}

/** Per-datum log-probabilities and the weighted sums that the loss graph gives. */
export interface LossSums {
  readonly logprobs: number[][];
  loss: number;
  kl: number;
  clipped: number;
  entropy: number;
  weight: number;
  tokens: number;
}

/** Shapes of the adapters' A `[rank, in]` and B `[out, rank]`. */
export function adapterShapes(base: ReadonlyMap<string, readonly number[]>, lora: LoraSpec): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const module of lora.modules) {
    const shape = base.get(`${module}.weight`);
    if (!shape) throw new Error(`no module ${module} for an adapter`);
    shapes.set(`${module}.lora_A.weight`, [lora.rank, shape[1]]);
    shapes.set(`${module}.lora_B.weight`, [shape[0], lora.rank]);
  }
  return shapes;
}

const decodeKey = "decode,";

export class LocalModel {
  readonly allocate: Floats;
  /** Every tensor that may train: all weights, or the adapters. */
  readonly trainable: FlatTensors;
  /** Weights that stay as they are (with adapters), or null. */
  readonly frozen: FlatTensors | null;
  private readonly sessions: Sessions;
  private readonly shapes: ReadonlyMap<string, readonly number[]>;
  private readonly trainableNames: ReadonlySet<string>;
  /** The start policy's trainable tensors, for the KL term; null: the base without adapters. */
  private reference: FloatArray | null = null;

  constructor(
    readonly config: Qwen3VLConfig,
    private readonly options: ModelOptions,
  ) {
    this.allocate = options.floatType === "float64" ? (n) => new Float64Array(n) : (n) => new Float32Array(n);
    const base = parameterShapes(config);
    const adapters = options.lora ? adapterShapes(base, options.lora) : null;
    this.trainable = new FlatTensors(adapters ?? base, this.allocate);
    this.frozen = adapters ? new FlatTensors(base, this.allocate) : null;
    this.shapes = new Map([...base, ...(adapters ?? [])]);
    this.trainableNames = new Set(this.trainable.shapes.keys());
    this.sessions = new Sessions(options);
  }

  /** Sets the trainable weights. Decoding keeps them in its graphs, which are made anew. */
  async setWeights(weights: FloatArray): Promise<void> {
    this.trainable.flat.set(weights);
    await this.sessions.release(decodeKey);
  }

  /** Freezes the present weights as the reference policy. Adapters that are nothing yet leave the base itself. */
  keepReference(): void {
    const nothing = this.options.lora !== null && [...this.trainable.shapes.keys()].every((name) => !name.endsWith("lora_B.weight") || this.trainable.view(name).every((w) => w === 0));
    this.reference = nothing ? null : this.trainable.flat.slice();
  }

  /** Value of a parameter for a run. */
  parameter(name: string, useReference = false): FloatArray {
    if (!this.trainable.has(name)) {
      if (!this.frozen) throw new Error(`no tensor ${name}`);
      return this.frozen.view(name);
    }
    const current = this.trainable.view(name);
    if (!useReference || !this.reference) return current;
    const start = (current.byteOffset - this.trainable.flat.byteOffset) / current.BYTES_PER_ELEMENT;
    return this.reference.subarray(start, start + current.length);
  }

  /** Runs a graph with parameters filled in from this model. */
  run(runnable: RunnableGraph, feeds: Readonly<Record<string, Feed>>, useReference = false, sizes: Readonly<Record<string, number>> = {}): Promise<Record<string, Feed>> {
    return runnable.run((input) => feeds[input.name] ?? this.parameter(input.name, useReference), sizes);
  }

  /** One step of decoding; feeds beside the weights. */
  async decode(shape: DecodeShape, feeds: Readonly<Record<string, Feed>>, sizes: DecodeSizes): Promise<Record<string, Feed>> {
    const inGraph = this.trainable.flat.length + (this.frozen?.flat.length ?? 0) <= (this.options.mostInGraph ?? 100e6);
    const key = `${decodeKey}${shape.group},${shape.choose}`;
    const runnable = await this.compile(key, () => buildDecodeGraph(this.graphContext, shape, inGraph ? (name) => this.parameter(name) : null));
    return this.run(runnable, feeds, false, { ...sizes });
  }

  compile(key: string, build: Parameters<Sessions["get"]>[1]): Promise<RunnableGraph> {
    return this.sessions.get(key, build);
  }

  get graphContext(): { config: Qwen3VLConfig; shapes: ReadonlyMap<string, readonly number[]>; lora: LoraSpec | null; floatType: FloatType } {
    return { config: this.config, shapes: this.shapes, lora: this.options.lora, floatType: this.options.floatType ?? "float32" };
  }

  private trainGraph(batch: MicroBatch, mode: TrainMode, adapters: boolean): Promise<RunnableGraph> {
    const lora = adapters ? this.options.lora : null;
    return this.compile(JSON.stringify([mode, batch.shape, adapters]), () =>
      buildTrainGraph(this.config, this.shapes, batch.shape, mode, this.trainableNames, lora, this.options.floatType),
    );
  }

  batches(data: readonly Row[]): MicroBatch[] {
    return microBatches(data, this.options.maxRows);
  }

  /** log-probabilities of some micro-batches' completions, written to `into[row]`. */
  async logprobs(data: readonly Row[], batches: readonly MicroBatch[], into: number[][], options: { useReference: boolean; temperature: number }): Promise<void> {
    const pack: PackOptions = { mode: "logprobs", temperature: options.temperature };
    for (const batch of batches) {
      const runnable = await this.trainGraph(batch, "logprobs", !options.useReference || this.reference !== null);
      const feeds = trainFeedsOf(this.config, data, batch, pack, this.allocate);
      const out = await this.run(runnable, feeds, options.useReference, { [completionRowsSize]: batch.completionRows });
      takeRows(data, batch, out[trainOutputs.logprobs], into);
    }
  }

  /** Adds the gradient of some micro-batches, in order, to `gradient` (laid out as `trainable`). */
  async accumulate(data: readonly Row[], batches: readonly MicroBatch[], loss: LossSpec, gradient: FlatTensors, sums: LossSums): Promise<void> {
    const pack: PackOptions = loss.kind === "policy" ? { ...loss, mode: loss.klCoef === 0 ? "surrogate" : "policy" } : { mode: "cross_entropy", temperature: 1 };
    for (const batch of batches) {
      const runnable = await this.trainGraph(batch, pack.mode, true);
      const feeds = trainFeedsOf(this.config, data, batch, pack, this.allocate);
      const out = await this.run(runnable, feeds, false, { [completionRowsSize]: batch.completionRows });
      for (const name of runnable.graph.gradients) addInto(gradient.view(name), out[`grad:${name}`] as FloatArray);
      const { text } = this.config;
      if (gradient.has(embeddingName)) {
        const table = gradient.view(embeddingName);
        scatterRows(table, feeds[trainFeeds.prefixTokens] as BigInt64Array, out[trainOutputs.prefixRows] as FloatArray | undefined, text.width);
        scatterRows(table, feeds[trainFeeds.tokens] as BigInt64Array, out[trainOutputs.completionRows] as FloatArray | undefined, text.width);
      }
      const head = headName(this.config);
      if (gradient.has(head)) {
        scatterRows(gradient.view(head), feeds[trainFeeds.targets] as BigInt64Array, out[trainOutputs.targetRows] as FloatArray | undefined, text.width);
      }
      takeRows(data, batch, out[trainOutputs.logprobs], sums.logprobs);
      const weights = feeds[trainFeeds.weights] as FloatArray;
      const entropy = out[trainOutputs.entropy] as FloatArray;
      for (const [i, weight] of weights.entries()) {
        sums.weight += weight;
        sums.entropy += weight === 0 ? 0 : weight * entropy[i];
      }
      sums.loss += Number(out[trainOutputs.loss][0]);
      sums.kl += Number(out[trainOutputs.kl][0]);
      sums.clipped += Number(out[trainOutputs.clipped][0]);
      for (const { prompt, rows } of batch.clusters) {
        for (const r of rows) sums.tokens += prompt.tokens.length + data[r].completion.length;
      }
    }
  }

  close(): Promise<void> {
    return this.sessions.close();
  }
}

function takeRows(data: readonly Row[], batch: MicroBatch, logprobs: Feed, into: number[][]): void {
  let start = 0;
  for (const { rows } of batch.clusters) {
    for (const row of rows) {
      const end = start + data[row].completion.length;
      into[row] = Array.from(logprobs.subarray(start, end) as FloatArray);
      start = end;
    }
  }
}

export function addInto(target: FloatArray, source: FloatArray): void {
  for (let i = 0; i < target.length; i++) target[i] += source[i];
}

/** table[tokens[i]] += rows[i], in order: deterministic, unlike a scatter inside the graph. */
function scatterRows(table: FloatArray, tokens: BigInt64Array, rows: FloatArray | undefined, width: number): void {
  if (!rows) return;
  for (let i = 0; i < tokens.length; i++) {
    const at = Number(tokens[i]) * width;
    const from = i * width;
    for (let d = 0; d < width; d++) table[at + d] += rows[from + d];
  }
}

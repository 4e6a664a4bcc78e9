/**
 * A replica does a share of an engine's work on its own copy of the weights: in this thread, or in a worker thread
 * (`session.run` blocks the event loop). Gradients are summed in lanes, so that results do not depend on how many
 * replicas share the work: micro-batch i belongs to lane i mod LANES, and lanes are added in order.
 */
import { Tokenizer } from "../../../tokenizer/tokenizer.js";
import type { LossSpec, SampledSequence, SampleRequest, SamplingParams } from "../../engine.js";
import type { Qwen3VLConfig } from "../model/config.js";
import type { LoraSpec } from "../model/weights.js";
import { LocalModel, type LossSums } from "./model.js";
import type { Row } from "./pack.js";
import { FlatTensors } from "./parameters.js";
import { Sampler } from "./sampler.js";

export const LANES = 2;

export interface ReplicaSetup {
  readonly config: Qwen3VLConfig;
  /** Folder with the tokenizer. */
  readonly folder: string;
  readonly endTokens: readonly number[];
  readonly lora: LoraSpec | null;
  readonly threads: number;
  readonly provider: string;
  readonly maxRows: number;
  readonly slots: number;
  /** Shared with the engine: current trainable tensors, and (adapters) the frozen ones. */
  readonly weights: Float32Array;
  readonly frozen: Float32Array | null;
}

/** Rows of the data and the lanes a replica works on. */
export interface Share {
  readonly data: readonly Row[];
  readonly lanes: readonly number[];
}

/** The same calls, whether the replica is here or in a worker. Only plain data and shared buffers cross. */
export interface Replica {
  /** Takes the engine's weights; with `asReference` they are also the start policy of the KL term. */
  takeWeights(weights: Float32Array, asReference: boolean): Promise<void>;
  logprobs(share: Share, options: { useReference: boolean; temperature: number }): Promise<(number[] | null)[]>;
  accumulate(share: Share, loss: LossSpec): Promise<LossSums>;
  /** Writes a lane's gradient into a shared buffer and clears it. */
  takeGradient(lane: number, into: Float32Array): Promise<void>;
  /** In the order of the requests given: the engine has shared them out. */
  sample(requests: readonly SampleRequest[], params: SamplingParams): Promise<SampledSequence[][]>;
  abort(): void;
  close(): Promise<void>;
}

export class LocalReplica implements Replica {
  private readonly model: LocalModel;
  private readonly lanes: (FlatTensors | null)[] = Array.from({ length: LANES }, () => null);
  private sampler: Sampler | null = null;
  private aborted = false;

  constructor(private readonly setup: ReplicaSetup) {
    this.model = new LocalModel(setup.config, setup);
    if (setup.frozen) this.model.frozen?.flat.set(setup.frozen);
    this.model.trainable.flat.set(setup.weights);
  }

  async takeWeights(weights: Float32Array, asReference: boolean): Promise<void> {
    await this.model.setWeights(weights);
    if (asReference) this.model.keepReference();
  }

  async logprobs({ data, lanes }: Share, options: { useReference: boolean; temperature: number }): Promise<(number[] | null)[]> {
    const into: number[][] = [];
    const batches = this.model.batches(data).filter((_, i) => lanes.includes(i % LANES));
    await this.model.logprobs(data, batches, into, options);
    return Array.from(data, (_, i) => into[i] ?? null);
  }

  async accumulate({ data, lanes }: Share, loss: LossSpec): Promise<LossSums> {
    const sums: LossSums = { logprobs: [], loss: 0, kl: 0, clipped: 0, entropy: 0, weight: 0, tokens: 0 };
    const batches = this.model.batches(data);
    for (const lane of lanes) {
      const gradient = this.lanes[lane] ?? new FlatTensors(this.model.trainable.shapes, this.model.allocate);
      this.lanes[lane] = gradient;
      await this.model.accumulate(data, batches.filter((_, i) => i % LANES === lane), loss, gradient, sums);
    }
    return sums;
  }

  takeGradient(lane: number, into: Float32Array): Promise<void> {
    const gradient = this.lanes[lane];
    if (gradient) {
      into.set(gradient.flat);
      gradient.flat.fill(0);
    } else into.fill(0);
    return Promise.resolve();
  }

  sample(requests: readonly SampleRequest[], params: SamplingParams): Promise<SampledSequence[][]> {
    this.aborted = false;
    if (!this.sampler) {
      let tokenizer: Tokenizer | null = null;
      this.sampler = new Sampler(this.model, {
        slots: this.setup.slots,
        endTokens: new Set(this.setup.endTokens),
        decode: (tokens) => (tokenizer ??= Tokenizer.fromFolder(this.setup.folder)).decode(tokens),
      });
    }
    return this.sampler.sample(requests, params, () => this.aborted);
  }

  abort(): void {
    this.aborted = true;
  }

  close(): Promise<void> {
    return this.model.close();
  }
}

/** The local engine: owns weights and moments, shares the work out to replicas, applies the optimiser. */
import { availableParallelism } from "node:os";
import { UserError } from "../../util/errors.js";
import type {
  AdamWParams,
  Engine,
  EngineCapabilities,
  ForwardBackwardResult,
  ForwardOptions,
  LossSpec,
  OptimStepResult,
  SampledSequence,
  SampleRequest,
  SamplingParams,
} from "../engine.js";
import type { Datum } from "../../types.js";
import { checkLengths } from "../checks.js";
import { openModel, saveState, saveWeights, loadState, type LoraOptions, type OpenedModel } from "./folders.js";
import { adamWStep, norm2, type AdamWState } from "./runtime/adamw.js";
import { addInto } from "./runtime/model.js";
import type { Row } from "./runtime/pack.js";
import { LANES, LocalReplica, type Replica, type ReplicaSetup } from "./runtime/replica.js";
import { WorkerReplica } from "./runtime/worker-replica.js";

export interface LocalEngineOptions {
  /** A Hugging Face folder of a Qwen3-VL model (config.json, model.safetensors, tokenizer.json, …). */
  readonly model: string;
  /** A PEFT folder to go on from (with `trainable: "lora"`). */
  readonly adapter?: string;
  readonly trainable?: "full" | "lora";
  readonly lora?: LoraOptions;
  /** Worker threads, each with a copy of the weights: 0 runs in this thread and blocks it, at most 2. */
  readonly workers?: number;
  /** ONNX Runtime threads per worker; default: the machine's cores shared out. */
  readonly threads?: number;
  /** ONNX Runtime execution provider: cpu, or cuda / webgpu where its libraries are installed. */
  readonly device?: string;
  /** Rows of a micro-batch: memory against the number of runs. */
  readonly maxRows?: number;
  /** Rows decoded together by one worker. */
  readonly slots?: number;
  /** Initial adapters are drawn from this seed. */
  readonly seed?: number;
}

const shared = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(length * 4));

class LocalEngine implements Engine {
  readonly capabilities: EngineCapabilities;
  private readonly lanes: Float32Array[];
  private readonly state: AdamWState;

  constructor(
    private readonly opened: OpenedModel,
    private readonly weights: Float32Array,
    private readonly replicas: readonly Replica[],
  ) {
    const { text } = opened.config;
    this.lanes = Array.from({ length: LANES }, () => shared(weights.length));
    this.state = { first: new Float32Array(weights.length), second: new Float32Array(weights.length), steps: 0 };
    this.capabilities = {
      name: "local",
      maxSequenceTokens: text.maxPositions,
      vocabularySize: text.vocabulary,
      images: true,
      trains: ["full", "lora"],
      reference: true,
      exactResume: true,
      samplesWhileTraining: false,
    };
  }

  /** Lanes of each replica: lane i is replica i mod replicas. */
  private shares(data: readonly Row[]): { replica: Replica; share: { data: readonly Row[]; lanes: number[] } }[] {
    const all = Array.from({ length: LANES }, (_, i) => i);
    return this.replicas.map((replica, r) => ({ replica, share: { data, lanes: all.filter((lane) => lane % this.replicas.length === r) } }));
  }

  private check(data: readonly Row[]): void {
    const { maxPositions, vocabulary } = this.opened.config.text;
    for (const { prompt, completion } of data) {
      if (prompt.tokens.length === 0) throw new UserError("a datum has an empty prompt: at least one token must come before the completion");
      if (prompt.tokens.length + completion.length > maxPositions) {
        throw new UserError(`a sequence of ${prompt.tokens.length} + ${completion.length} tokens exceeds the model's ${maxPositions} positions (max_position_embeddings)`);
      }
      const bad = completion.find((t) => t < 0 || t >= vocabulary) ?? prompt.tokens.find((t) => t < 0 || t >= vocabulary);
      if (bad !== undefined) throw new UserError(`token id ${bad} is outside the model's vocabulary of ${vocabulary}: tokenizer and model do not belong together`);
    }
  }

  async sample(requests: readonly SampleRequest[], params: SamplingParams, signal?: AbortSignal): Promise<SampledSequence[][]> {
    signal?.throwIfAborted();
    const abort = (): void => this.replicas.forEach((r) => r.abort());
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const n = this.replicas.length;
      const parts = await Promise.all(this.replicas.map((r, i) => r.sample(requests.filter((_, q) => q % n === i), params)));
      return requests.map((_, q) => parts[q % n][Math.floor(q / n)]);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  async forward(data: readonly Row[], { weights = "current", temperature = 1 }: ForwardOptions = {}): Promise<number[][]> {
    this.check(data);
    checkTemperature(temperature);
    const rows = data.map(({ prompt, completion }): Row => ({ prompt, completion }));
    const parts = await Promise.all(
      this.shares(rows).map(({ replica, share }) => replica.logprobs(share, { useReference: weights === "reference", temperature })),
    );
    return rows.map((_, i) => parts.map((p) => p[i]).find((p) => p !== null) ?? []);
  }

  async forwardBackward(data: readonly Datum[], loss: LossSpec): Promise<ForwardBackwardResult> {
    this.check(data);
    checkLengths(data, loss);
    if (loss.kind === "policy") checkTemperature(loss.temperature);
    const sums = await Promise.all(this.shares(data).map(({ replica, share }) => replica.accumulate(share, loss)));
    const total = (key: "loss" | "kl" | "clipped" | "entropy" | "weight" | "tokens"): number => sums.reduce((a, s) => a + s[key], 0);
    const weight = total("weight") || 1;
    return {
      loss: total("loss"),
      logprobs: data.map((_, i) => sums.map((s) => s.logprobs[i]).find((p) => p !== undefined) ?? []),
      kl: total("kl") / weight,
      clipFraction: total("clipped") / weight,
      entropy: total("entropy") / weight,
      tokens: total("tokens"),
    };
  }

  private async takeGradients(): Promise<void> {
    await Promise.all(this.lanes.map((into, lane) => this.replicas[lane % this.replicas.length].takeGradient(lane, into)));
  }

  async optimStep(params: AdamWParams): Promise<OptimStepResult> {
    await this.takeGradients();
    const [gradient, ...rest] = this.lanes;
    for (const lane of rest) addInto(gradient, lane);
    const gradNorm = norm2(gradient);
    if (!Number.isFinite(gradNorm)) {
      throw new UserError(`the gradient is not finite (norm ${gradNorm}); nothing was changed. Lower optimizer.learningRate, or look for NaN in advantages or log-probabilities.`);
    }
    const scale = params.maxGradNorm > 0 && gradNorm > params.maxGradNorm ? params.maxGradNorm / gradNorm : 1;
    adamWStep(this.weights, gradient, this.state, params, scale);
    await this.publish(false);
    return { gradNorm };
  }

  /** Gives the replicas the present weights. */
  async publish(asReference: boolean): Promise<void> {
    await Promise.all(this.replicas.map((r) => r.takeWeights(this.weights, asReference)));
  }

  save(dir: string, what: "weights" | "state"): Promise<void> {
    saveWeights(this.opened, this.weights, dir);
    if (what === "state") saveState(dir, this.state);
    return Promise.resolve();
  }

  async load(dir: string): Promise<void> {
    loadState(this.opened, dir, this.weights, this.state);
    // What was accumulated belongs to the weights before.
    await this.takeGradients();
    await this.publish(false);
  }

  async close(): Promise<void> {
    await Promise.all(this.replicas.map((r) => r.close()));
  }
}

/** Greedy completions are recorded at temperature 1, and compared at it. */
function checkTemperature(temperature: number): void {
  if (!(temperature > 0)) throw new RangeError(`temperature is ${temperature}: log-probabilities need one above 0; for greedy completions it is 1`);
}

/** Opens a model folder for sampling and training on this machine. */
export async function createLocalEngine(options: LocalEngineOptions): Promise<Engine> {
  const opened = openModel(options);
  const cores = availableParallelism();
  const workers = options.workers ?? Math.min(LANES, cores);
  if (!Number.isInteger(workers) || workers < 0 || workers > LANES) throw new UserError(`engine.workers is ${workers}: give 0, 1 or ${LANES}`);
  const threads = options.threads ?? Math.max(1, Math.floor(cores / Math.max(1, workers)));
  const weights = shared(opened.trainable.length);
  weights.set(opened.trainable);
  const frozen = opened.frozen ? shared(opened.frozen.length) : null;
  if (opened.frozen) frozen?.set(opened.frozen);
  const setup: ReplicaSetup = {
    config: opened.config,
    folder: options.model,
    endTokens: opened.endTokens,
    lora: opened.lora,
    threads,
    provider: options.device ?? "cpu",
    maxRows: options.maxRows ?? 16,
    slots: options.slots ?? 64,
    weights,
    frozen,
  };
  const replicas: Replica[] = workers === 0 ? [new LocalReplica(setup)] : Array.from({ length: workers }, () => new WorkerReplica(setup));
  const engine = new LocalEngine(opened, weights, replicas);
  await engine.publish(true);
  return engine;
}

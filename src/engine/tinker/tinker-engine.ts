/**
 * The engine that trains through the Tinker API: on a cluster of one's own (SkyRL) or the hosted service. The server holds
 * weights and moments; here are the loss, the order of requests and what to do when the server falters.
 *
 * With `loss: exact` a gradient leaves for the server only together with the step that applies it, so that a batch is
 * never half applied: what was not stepped is still here, and is dropped or sent again at will.
 */
import { UserError } from "../../util/errors.js";
import { abortable } from "../../util/waiting.js";
import type { Datum } from "../../types.js";
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
import { checkLengths } from "../checks.js";
import { checkRow } from "./checks.js";
import { explained, TinkerError } from "./errors.js";
import type { ModelFacts } from "./facts.js";
import { finite, fusedLoss, linearLoss, lossAt, type Reduction } from "./losses.js";
import { SharedLock } from "./lock.js";
import { readManifest } from "./manifest.js";
import { tokensOf, type BackwardPass, type Passes, type Row } from "./passes.js";
import { gradNormOf } from "./probe.js";
import { lostWeights, type Sampler } from "./sampling.js";
import type { SavedWeights } from "./saving.js";
import type { Model, Start, TinkerSession } from "./session.js";

/** A server for the frozen start policy. */
export interface ReferencePlace {
  readonly session: TinkerSession;
  readonly passes: Passes;
}

export interface EngineParts {
  readonly session: TinkerSession;
  readonly passes: Passes;
  /** The same session and passes, or those of another server. */
  readonly reference: ReferencePlace;
  readonly sampler: Sampler;
  readonly saving: SavedWeights;
  readonly start: Start;
  readonly model: Model;
  readonly facts: ModelFacts;
  readonly reduction: Reduction;
  readonly loss: "exact" | "fused";
  readonly maxSequenceTokens: number;
  readonly log: (line: string) => void;
}

export class TinkerEngine implements Engine {
  readonly capabilities: EngineCapabilities;
  private model: Model;
  private referenceModel: Promise<Model> | null = null;
  /** Where `model` can be had again. */
  private saved: Start;
  /** Updates since `saved`: with none the model can be replaced without loss. */
  private unsaved = 0;
  private steps = 0;
  /** Sampling session of the current weights. */
  private published: Promise<string> | null = null;
  private publications = 0;
  private sampleSeq = 0;
  private reviving: Promise<void> | null = null;
  /** `exact`: data whose gradient has not been sent yet, with the slope of their loss. */
  private waiting: { readonly row: Row; readonly gradients: readonly number[] }[] = [];
  /** Passes whose gradient the server holds: of `fused` until a step, of `exact` while one is under way or if it failed. */
  private accumulated = 0;
  private poisoned = false;
  private warned = false;
  private imagesSeen: Promise<unknown> | null = null;
  private readonly lock = new SharedLock();

  constructor(private readonly parts: EngineParts) {
    this.model = parts.model;
    this.saved = parts.start;
    this.capabilities = {
      name: "tinker",
      maxSequenceTokens: parts.maxSequenceTokens,
      vocabularySize: parts.facts.vocabularySize,
      images: parts.facts.imageToken !== null,
      trains: parts.start.rank > 0 ? ["lora"] : ["full"],
      reference: true,
      exactResume: true,
      samplesWhileTraining: true,
    };
  }

  async sample(requests: readonly SampleRequest[], params: SamplingParams, signal?: AbortSignal): Promise<SampledSequence[][]> {
    signal?.throwIfAborted();
    for (const { prompt } of requests) checkRow(prompt, [], params.maxTokens, this.capabilities);
    if (requests.every(({ seeds }) => seeds.length === 0)) return requests.map(() => []);
    await this.checkImages(requests);
    const run = (): Promise<SampledSequence[][]> => this.guarded(() => this.sampleNow(requests, params, signal), signal);
    return this.samplerSharesWeights ? this.lock.read(run) : run();
  }

  async forward(data: readonly Row[], { weights = "current" }: ForwardOptions = {}): Promise<number[][]> {
    this.check(data);
    if (data.length === 0) return [];
    const { passes, reference } = this.parts;
    if (weights === "current") return this.guarded(() => this.patient(() => passes.forward(this.model, data)));
    return this.guardedReference((model) => this.patient(() => reference.passes.forward(model, data)));
  }

  async forwardBackward(data: readonly Datum[], spec: LossSpec): Promise<ForwardBackwardResult> {
    this.check(data);
    checkLengths(data, spec);
    const { loss, reduction, passes } = this.parts;
    let logprobs: number[][];
    if (loss === "exact") {
      logprobs = await this.forward(data);
    } else {
      if (reduction === "mean" && this.accumulated > 0) {
        throw new UserError("this server takes the mean of a batch, which cannot be put together of parts in one pass: set batch.microBatch to 0, or engine.tinker.loss to exact");
      }
      const server = fusedLoss(data, spec, reduction);
      if (!finite(server)) this.poisoned = true;
      const sent = this.poisoned || data.length === 0 ? null : await this.guarded(() => passes.backward(this.model, data, server));
      if (sent !== null) this.accumulated++;
      logprobs = sent === null ? await this.forward(data) : await this.guarded(() => sent.result());
    }
    const { gradients, ...value } = lossAt(data, logprobs, spec);
    if (loss === "exact") data.forEach(({ prompt, completion }, i) => this.waiting.push({ row: { prompt, completion }, gradients: gradients[i] }));
    if (!gradients.every((row) => row.every(Number.isFinite))) this.poisoned = true;
    return { ...value, logprobs, entropy: Number.NaN, tokens: tokensOf(data) };
  }

  async optimStep(params: AdamWParams): Promise<OptimStepResult> {
    const { waiting } = this;
    this.waiting = [];
    if (this.poisoned) {
      // With `fused` the pass was sent before its log-probabilities were there to be looked at.
      if (this.accumulated > 0) await this.guarded(() => this.dropGradient("a gradient that is not finite"));
      this.poisoned = false;
      throw new Error("the gradient is not finite: weights and moments were left as they were");
    }
    this.warnOfClipping(params);
    const step = (): Promise<OptimStepResult> => this.guarded(() => this.stepNow(waiting, params));
    return this.samplerSharesWeights ? this.lock.write(step) : step();
  }

  async save(dir: string, what: "weights" | "state"): Promise<void> {
    const manifest = await this.guarded(() => this.parts.saving.save(this.model, dir, what, this.saved, this.steps));
    this.saved = { ...this.saved, weights: manifest.state };
    this.unsaved = 0;
  }

  async load(dir: string): Promise<void> {
    const manifest = readManifest(dir);
    if (manifest?.what !== "state") throw new UserError(`${dir} holds no state that the tinker engine saved (tinker.json)`);
    if (manifest.loraRank !== this.saved.rank) {
      throw new UserError(`${dir} was saved with adapters of rank ${manifest.loraRank}, engine.lora.rank asks for ${this.saved.rank}: set it to ${manifest.loraRank}`);
    }
    await this.replace({ ...this.saved, weights: manifest.state });
    this.steps = manifest.optimizerSteps;
  }

  async close(): Promise<void> {
    const reference = await this.referenceModel?.catch(() => null);
    await this.clearGradient();
    const { session, reference: place } = this.parts;
    const frozen = reference ? [reference] : [];
    if (place.session !== session) await place.session.close(frozen);
    await session.close([this.model, ...(place.session === session ? frozen : [])]);
  }

  /** SkyRL's JAX backend samples from the very weights that it trains. */
  private get samplerSharesWeights(): boolean {
    return this.parts.reduction === "mean";
  }

  private async sampleNow(requests: readonly SampleRequest[], params: SamplingParams, signal?: AbortSignal): Promise<SampledSequence[][]> {
    for (let attempt = 0; ; attempt++) {
      const publication = this.publish();
      const samplingSession = await abortable(publication, signal);
      try {
        return await this.parts.sampler.sample(requests, params, () => ({ samplingSession, seqId: this.sampleSeq++ }), signal);
      } catch (error) {
        if (!(error instanceof TinkerError) || !lostWeights(error) || attempt > 0) throw error;
        this.parts.log(`the sampler lost its weights (${error.message}): publishing them again`);
        if (this.published === publication) this.published = null;
      }
    }
  }

  /** The current weights, ready for sampling. Asked for at once, so that updates submitted later do not change them. */
  private publish(): Promise<string> {
    this.published ??= this.saveForSampler(this.model);
    const published = this.published;
    published.catch(() => {
      if (this.published === published) this.published = null;
    });
    return published;
  }

  private async saveForSampler(model: Model): Promise<string> {
    const { session } = this.parts;
    const save = async (): Promise<string> => {
      const pending = await session.submit(model, (seq) => session.client.saveForSampler(model.id, seq, { samplingSessionSeqId: this.publications++ }));
      const { sampling_session_id: samplingSession } = await pending.result();
      if (!samplingSession) throw new TinkerError("rejected", "the server saved weights for sampling and named no sampling session");
      return samplingSession;
    };
    try {
      return await save();
    } catch (error) {
      // A repetition met what its first try had made: the next number is free.
      if (error instanceof TinkerError && error.status === 409) return save();
      throw error;
    }
  }

  private async stepNow(waiting: readonly { readonly row: Row; readonly gradients: readonly number[] }[], params: AdamWParams): Promise<OptimStepResult> {
    const { passes, reduction, loss } = this.parts;
    if (loss === "exact" && this.accumulated > 0) await this.dropGradient("a gradient of a batch that failed");
    const { model } = this;
    let backward: BackwardPass | null = null;
    if (waiting.length > 0) {
      this.accumulated++;
      backward = await passes.backward(model, waiting.map(({ row }) => row), linearLoss(waiting.map(({ gradients }) => gradients), reduction));
      await backward.beforeStep();
    }
    // From here on the server may have stepped, whatever becomes of the answer: only a saved state is known to be there.
    this.unsaved++;
    const step = await passes.optimStep(model, {
      learning_rate: params.learningRate,
      beta1: params.beta1,
      beta2: params.beta2,
      eps: params.eps,
      weight_decay: params.weightDecay,
      grad_clip_norm: params.maxGradNorm,
    });
    this.published = null;
    await backward?.result();
    const { metrics } = await step.result();
    this.steps++;
    this.accumulated = 0;
    return { gradNorm: gradNormOf(metrics) ?? 0 };
  }

  /** What is on the server of a batch that is not to be stepped on would be added to the next. */
  private async dropGradient(what: string): Promise<void> {
    if (this.unsaved > 0) throw new TinkerError("failed", `${what} is left on the server`);
    await this.replace(this.saved);
  }

  /** Runs `body`; a model that the server lost is made again where nothing is lost with it. */
  private async guarded<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      const { model } = this;
      try {
        return await body();
      } catch (error) {
        if (!(error instanceof TinkerError) || error.fault !== "gone") throw error;
        if (this.model === model) await this.revive(error);
        return await body();
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw explained(error, this.unsaved);
    }
  }

  private async revive(error: TinkerError): Promise<void> {
    // With `exact` all that a gradient was made of is still here.
    if (this.unsaved > 0 || (this.parts.loss === "fused" && this.accumulated > 0)) throw error;
    this.reviving ??= (async () => {
      this.parts.log(`the server lost the model (${error.message}): it is made again from ${this.saved.weights ?? "the base model"}`);
      this.model = await this.parts.session.create(this.saved, { optimizer: true });
      this.accumulated = 0;
      this.published = null;
      this.referenceModel = null;
    })().finally(() => (this.reviving = null));
    await this.reviving;
  }

  /** Puts a model with the weights and moments of `start` in the place of the current one. */
  private async replace(start: Start): Promise<void> {
    const { session } = this.parts;
    try {
      const next = await session.create(start, { optimizer: true });
      await this.clearGradient();
      await session.discard(this.model);
      this.model = next;
    } catch (error) {
      throw explained(error, this.unsaved);
    }
    this.saved = start;
    this.unsaved = 0;
    this.accumulated = 0;
    this.waiting = [];
    this.poisoned = false;
    this.published = null;
  }

  /** A gradient left in a model's place would be the next model's: some servers do not clear it. */
  private async clearGradient(): Promise<void> {
    if (this.accumulated === 0) return;
    this.accumulated = 0;
    const none = { learning_rate: 0, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0, grad_clip_norm: 0 };
    await this.parts.passes.optimStep(this.model, none).then((step) => step.result()).catch(() => undefined);
  }

  /** The frozen start policy: a second model that is never trained. */
  private async guardedReference<T>(body: (model: Model) => Promise<T>): Promise<T> {
    const open = (): Promise<Model> => (this.referenceModel ??= this.parts.reference.session.create(this.parts.start, { optimizer: false }));
    try {
      try {
        return await body(await open());
      } catch (error) {
        if (!(error instanceof TinkerError) || error.fault !== "gone") throw error;
        this.referenceModel = null;
        return await body(await open());
      }
    } catch (error) {
      this.referenceModel?.catch(() => (this.referenceModel = null));
      throw explained(error, this.unsaved);
    }
  }

  /** A pass that changes nothing may fail once and be asked for again. */
  private async patient<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof TinkerError) || error.fault !== "failed") throw error;
      this.parts.log(`${error.message}: asked for again`);
      return body();
    }
  }

  /** A sample does not show whether the server saw its images: a pass over the first prompt with one does. */
  private async checkImages(requests: readonly SampleRequest[]): Promise<void> {
    const first = requests.find(({ prompt }) => prompt.images.length > 0);
    if (first === undefined) return;
    this.imagesSeen ??= this.forward([{ prompt: first.prompt, completion: [first.prompt.tokens[0]] }]);
    try {
      await this.imagesSeen;
    } catch (error) {
      this.imagesSeen = null;
      throw error;
    }
  }

  private check(data: readonly Row[]): void {
    for (const { prompt, completion } of data) checkRow(prompt, completion, completion.length, this.capabilities);
  }

  private warnOfClipping({ maxGradNorm }: AdamWParams): void {
    if (this.warned || maxGradNorm <= 0 || this.parts.session.client.traits.clipsGradient) return;
    this.warned = true;
    this.parts.log(`optimizer.maxGradNorm ${maxGradNorm} has no effect: this server does not clip gradients as a request asks (its own configuration may)`);
  }
}

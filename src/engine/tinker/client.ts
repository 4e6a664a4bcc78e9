/**
 * A typed client of the Tinker REST API, as SkyRL serves it and the official SDK speaks it. Work is submitted and
 * answered with a future's id; the result is asked for by long polls. Requests that train carry a sequence number per
 * model, so that a server which keeps them acts once however often they arrive.
 */
import type { z } from "zod";
import { firstIssue } from "../../util/first-issue.js";
import { sleep } from "../../util/waiting.js";
import { Http, type Answer, type HttpOptions } from "./http.js";
import { faultOf, TinkerError } from "./errors.js";
import { decodePassOutput, decodeSample, encodePass, protoType } from "./proto.js";
import * as schemas from "./schemas.js";
import type { ForwardBackwardOutput, OptimStepOutput, SampleOutput } from "./schemas.js";
import { readTraits, type ServerTraits } from "./traits.js";
import { chunksJson, passJson, type PassRequest, type WireChunk } from "./wire.js";
import { openZstd } from "./zstd.js";

export interface ClientOptions extends HttpOptions {
  /** JSON, or protobuf (with zstd) for passes and their results; `auto`: what the server is known to take. */
  readonly wire: "auto" | "json" | "protobuf";
  /** Seconds of one long poll. */
  readonly pollSeconds: number;
  readonly sdkVersion: string;
}

export interface SampleCall {
  /** A sampling session, or the base model. */
  readonly from: { readonly samplingSession: string; readonly seqId: number } | { readonly baseModel: string };
  readonly prompt: readonly WireChunk[];
  /** Completion i has the seed `seed + i`. */
  readonly samples: number;
  readonly seed: number;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  /** −1 keeps all. */
  readonly topK: number;
  readonly stop: readonly string[] | readonly number[];
  readonly promptLogprobs: boolean;
}

export interface AdamParams {
  readonly learning_rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weight_decay: number;
  readonly grad_clip_norm: number;
}

/** Work that the server has taken. */
export interface Pending<T> {
  readonly requestId: string;
  /** Waits as long as it takes. @throws TinkerError */
  result(signal?: AbortSignal): Promise<T>;
}

interface Reading<T> {
  readonly json: z.ZodType<T>;
  readonly proto?: (bytes: Uint8Array) => T;
}

const heartbeatSeconds = 10;
const maxCrashes = 4;
const passReading: Reading<ForwardBackwardOutput> = { json: schemas.forwardBackwardSchema, proto: decodePassOutput };
const sampleReading: Reading<SampleOutput> = { json: schemas.sampleSchema, proto: decodeSample };

export class TinkerClient {
  private readonly http: Http;
  private heartbeats: NodeJS.Timeout | undefined;
  private zstd: ((body: Uint8Array) => Uint8Array) | undefined;

  private constructor(
    private readonly options: ClientOptions,
    http: Http,
    readonly traits: ServerTraits,
  ) {
    this.http = http;
  }

  /** Asks the server what it is. @throws TinkerError where there is none. */
  static async connect(options: ClientOptions): Promise<TinkerClient> {
    const http = new Http(options);
    const client = new TinkerClient(options, http, await readTraits(http, options));
    if (client.traits.zstd) {
      client.zstd = (await openZstd()).compress;
    }
    return client;
  }

  get address(): string {
    return this.http.address;
  }

  async capabilities(): Promise<z.infer<typeof schemas.capabilitiesSchema>> {
    return this.read(await this.http.call({ method: "GET", path: "/api/v1/get_server_capabilities", safety: "repeatable" }), schemas.capabilitiesSchema);
  }

  /** Opens a session and keeps it alive until `close`. */
  async createSession(tags: readonly string[]): Promise<string> {
    const body = { tags, user_metadata: {}, sdk_version: this.options.sdkVersion, type: "create_session" };
    const { session_id } = await this.post("create_session", body, schemas.sessionSchema);
    const beat = (): Promise<unknown> => this.post("session_heartbeat", { session_id, type: "session_heartbeat" }, schemas.anythingSchema);
    await beat();
    clearInterval(this.heartbeats);
    // A lost heartbeat is made good by the next; a session that is gone shows in the next request.
    this.heartbeats = setInterval(() => void beat().catch(() => undefined), heartbeatSeconds * 1000);
    this.heartbeats.unref();
    return session_id;
  }

  /** A new model on top of `baseModel`: rank 0 asks for full fine-tuning. */
  async createModel(sessionId: string, modelSeqId: number, baseModel: string, lora: { rank: number; seed: number }): Promise<string> {
    const body = {
      session_id: sessionId,
      model_seq_id: modelSeqId,
      base_model: baseModel,
      lora_config: { ...lora, train_mlp: true, train_attn: true, train_unembed: false },
      type: "create_model",
    };
    const { request_id, model_id } = await this.post("create_model", body, schemas.createModelSchema);
    const created = await this.pending(request_id, { json: schemas.modelCreatedSchema }).result();
    return model_id ?? created.model_id;
  }

  /** Asks for a model's place to be freed, without waiting for a server that is not there. */
  async unloadModel(modelId: string): Promise<void> {
    const json = { model_id: modelId, type: "unload_model" };
    await this.http.call({ method: "POST", path: "/api/v1/unload_model", json, safety: "repeatable", patienceSeconds: 2, timeoutSeconds: 10 });
  }

  /** A forward pass, or forward and backward: adds to the model's gradient. */
  async pass(request: PassRequest): Promise<Pending<ForwardBackwardOutput>> {
    const safety = request.forwardOnly || this.traits.dedup ? "repeatable" : "once";
    if (!this.traits.protobuf) {
      return this.work(request.forwardOnly ? "forward" : "forward_backward", passJson(request), passReading, safety);
    }
    const raw = encodePass(request);
    const headers = { "content-type": protoType, ...(this.zstd ? { "content-encoding": "zstd" } : {}) };
    const answer = await this.http.call({ method: "POST", path: "/api/v1/forward_backward", bytes: this.zstd ? this.zstd(raw) : raw, headers, safety });
    return this.pending(this.read(answer, schemas.futureSchema).request_id, passReading);
  }

  optimStep(modelId: string, seqId: number, adam: AdamParams): Promise<Pending<OptimStepOutput>> {
    const body = { model_id: modelId, seq_id: seqId, adam_params: adam, type: "optim_step" };
    return this.work("optim_step", body, { json: schemas.optimStepSchema }, this.traits.dedup ? "repeatable" : "once");
  }

  /** Saves weights and optimiser under a name on the server; its path is the result. A name can be used once. */
  saveWeights(modelId: string, seqId: number, name: string): Promise<Pending<{ path: string }>> {
    return this.work("save_weights", { model_id: modelId, seq_id: seqId, path: name, type: "save_weights" }, { json: schemas.savedSchema });
  }

  /** Into a model that was just created: servers take it as the first request only. */
  loadWeights(modelId: string, seqId: number, path: string, optimizer: boolean): Promise<Pending<unknown>> {
    return this.work("load_weights", { model_id: modelId, seq_id: seqId, path, optimizer, type: "load_weights" }, { json: schemas.anythingSchema });
  }

  /** Makes the model's weights available for sampling: under a name that lasts, or for one sampling session. */
  async saveForSampler(
    modelId: string,
    seqId: number,
    as: { readonly name: string } | { readonly samplingSessionSeqId: number },
  ): Promise<Pending<{ path?: string | null; sampling_session_id?: string | null }>> {
    const named = "name" in as ? { path: as.name } : { sampling_session_seq_id: as.samplingSessionSeqId };
    return this.work("save_weights_for_sampler", { model_id: modelId, seq_id: seqId, ...named, type: "save_weights_for_sampler" }, { json: schemas.savedSamplerSchema });
  }

  async createSamplingSession(sessionId: string, seqId: number, from: { base_model: string } | { model_path: string }): Promise<string> {
    const body = { session_id: sessionId, sampling_session_seq_id: seqId, ...from, type: "create_sampling_session" };
    return (await this.post("create_sampling_session", body, schemas.samplingSessionSchema)).sampling_session_id;
  }

  sample(call: SampleCall, signal?: AbortSignal): Promise<Pending<SampleOutput>> {
    const { from, prompt, samples, seed, maxTokens, temperature, topP, topK, stop, promptLogprobs } = call;
    const body = {
      ...("baseModel" in from ? { base_model: from.baseModel } : { sampling_session_id: from.samplingSession, seq_id: from.seqId }),
      num_samples: samples,
      prompt: chunksJson(prompt),
      sampling_params: { max_tokens: maxTokens, seed, temperature, top_p: topP, top_k: topK, ...(stop.length > 0 ? { stop } : {}) },
      prompt_logprobs: promptLogprobs,
      type: "sample",
    };
    return this.work("asample", body, sampleReading, "repeatable", signal);
  }

  /** The saved sampler weights as an archive (tar.gz of a PEFT folder). */
  async downloadArchive(path: string): Promise<Buffer> {
    const match = /^tinker:\/\/([^/]+)\/(.+)$/.exec(path);
    if (!match) throw new TinkerError("rejected", `${path} is no path of saved weights (tinker://model/name)`);
    const [, model, checkpoint] = match;
    const answer = await this.http.call({ method: "GET", path: `/api/v1/training_runs/${model}/checkpoints/${checkpoint}/archive`, safety: "repeatable" });
    return answer.body;
  }

  /** The result of a future by its id. */
  pending<T>(requestId: string, reading: Reading<T>): Pending<T> {
    return { requestId, result: (signal) => this.retrieve(requestId, reading, signal) };
  }

  /** A pass's future by its id: to find out what became of a request whose answer was lost. */
  pendingPass(requestId: string): Pending<ForwardBackwardOutput> {
    return this.pending(requestId, passReading);
  }

  /** The same for an optimiser step. */
  pendingStep(requestId: string): Pending<OptimStepOutput> {
    return this.pending(requestId, { json: schemas.optimStepSchema });
  }

  close(): void {
    clearInterval(this.heartbeats);
    this.http.close();
  }

  private async retrieve<T>(requestId: string, { json, proto }: Reading<T>, signal?: AbortSignal): Promise<T> {
    const binary = this.traits.protobuf && proto !== undefined;
    for (let crashes = 0; ; ) {
      const answer = await this.http.call({
        method: "POST",
        path: "/api/v1/retrieve_future",
        json: { request_id: requestId, allow_metadata_only: false },
        headers: binary ? { accept: protoType } : {},
        safety: "repeatable",
        signal,
        timeoutSeconds: this.options.pollSeconds,
        longPoll: true,
        accept: [400, 408, 500],
      });
      if (answer.status === 408) continue;
      if (answer.status >= 400) {
        const detail = failureOf(answer);
        // A 500 that does not say what failed is the server's own trouble, not the request's.
        if (detail === null && ++crashes <= maxCrashes) {
          await sleep(500, signal);
          continue;
        }
        throw this.failed(requestId, answer.status, detail ?? answer.body.toString("utf8").slice(0, 300));
      }
      if (proto !== undefined && answer.type.includes(protoType)) return proto(answer.body);
      const value = this.parse(answer);
      if (schemas.tryAgainSchema.safeParse(value).success) {
        await sleep(100, signal);
        continue;
      }
      const failed = schemas.failedSchema.safeParse(value);
      if (failed.success) throw this.failed(requestId, 400, failed.data.error);
      return this.check(value, json);
    }
  }

  private failed(requestId: string, status: number, detail: string): TinkerError {
    const fault = faultOf(status, detail) === "gone" ? "gone" : "failed";
    return new TinkerError(fault, `request ${requestId} failed on ${this.address}: ${this.http.clean(detail)}`, status);
  }

  private async work<T>(name: string, body: object, reading: Reading<T>, safety: "repeatable" | "once" = "repeatable", signal?: AbortSignal): Promise<Pending<T>> {
    const answer = await this.http.call({ method: "POST", path: `/api/v1/${name}`, json: body, safety, signal });
    return this.pending(this.read(answer, schemas.futureSchema).request_id, reading);
  }

  private async post<T>(name: string, body: object, schema: z.ZodType<T>): Promise<T> {
    return this.read(await this.http.call({ method: "POST", path: `/api/v1/${name}`, json: body, safety: "repeatable" }), schema);
  }

  private read<T>(answer: Answer, schema: z.ZodType<T>): T {
    return this.check(this.parse(answer), schema);
  }

  private parse({ body }: Answer): unknown {
    try {
      return JSON.parse(body.toString("utf8"));
    } catch {
      throw new TinkerError("rejected", `${this.address} answered with something that is not JSON: is it a Tinker server? (${this.http.clean(body.toString("utf8").slice(0, 80))})`);
    }
  }

  private check<T>(value: unknown, schema: z.ZodType<T>): T {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new TinkerError("rejected", `${this.address} answered with something unexpected: ${firstIssue(parsed.error, "the answer")}`);
  }
}

/** The `detail` of an error answer; null where there is none. */
function failureOf({ body }: Answer): string | null {
  try {
    const { detail } = JSON.parse(body.toString("utf8")) as { detail?: unknown };
    return detail === undefined ? null : typeof detail === "string" ? detail : JSON.stringify(detail);
  } catch {
    return null;
  }
}

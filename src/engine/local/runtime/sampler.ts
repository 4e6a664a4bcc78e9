/**
 * Rollouts: each prompt's prefix is run once, and its keys and values serve all of its completions. A prompt's
 * completions share a lane; all lanes decode together, a lane that ends gives its place to a prompt that waits, and the
 * batch shrinks when none waits.
 */
import { UserError } from "../../../util/errors.js";
import type { SampledSequence, SampleRequest, SamplingParams } from "../../engine.js";
import { promptPositions, TextRotation } from "../model/geometry.js";
import { buildPrefillGraph, type DecodeShape, type PrefillShape } from "../model/sample-graphs.js";
import { chooseToken } from "./choose.js";
import { jobsOf, Lanes, type Place, type Prefilled, type Row } from "./lanes.js";
import type { LocalModel } from "./model.js";
import { prefixFeeds, prefixPlaces, visionFeedsOf, visionShape, type Feed } from "./pack.js";
import { stepFeeds } from "./step-feeds.js";

export interface SamplerOptions {
  /** Completions decoded together. */
  readonly slots: number;
  /** Token ids that end a completion. */
  readonly endTokens: ReadonlySet<number>;
  /** Text of tokens, for stop strings. */
  readonly decode: (tokens: readonly number[]) => string;
}

const prefillBatch = 8;

export class Sampler {
  private readonly rotation: TextRotation;
  private readonly tokenTexts = new Map<number, string>();

  constructor(
    private readonly model: LocalModel,
    private readonly options: SamplerOptions,
  ) {
    this.rotation = new TextRotation(model.config.text);
  }

  /** Runs the prefixes of some requests together. */
  private async prefill(requests: readonly SampleRequest[], indices: readonly number[]): Promise<[request: number, prefilled: Prefilled][]> {
    const { config } = this.model;
    const prompts = indices.map((i) => requests[i].prompt);
    const positions = prompts.map((p) => promptPositions(p, config.imageToken, config.vision.merge));
    const prefix = prefixPlaces(prompts);
    const shape: PrefillShape = { prompts: prompts.length, prefix, vision: visionShape(prompts) };
    const runnable = await this.model.compile(JSON.stringify(["prefill", shape]), () => buildPrefillGraph(this.model.graphContext, shape));
    const feeds: Record<string, Feed> = prefixFeeds(prompts, positions, prefix, this.rotation, this.model.allocate);
    if (shape.vision) Object.assign(feeds, visionFeedsOf(config, prompts, positions, prefix, shape.vision, this.model.allocate));
    const out = await this.model.run(runnable, feeds);
    const width = config.text.keyHeads * config.text.headDim;
    return indices.map((request, p) => {
      const part = (name: string): Float32Array[] =>
        Array.from({ length: config.text.layers }, (_, l) => (out[`${name}.${l}`] as Float32Array).subarray(p * prefix * width, (p + 1) * prefix * width));
      return [request, { keys: part("keys"), values: part("values"), places: prompts[p].tokens.length - 1, next: positions[p].next }];
    });
  }

  private check(requests: readonly SampleRequest[], params: SamplingParams): void {
    const { maxPositions, vocabulary } = this.model.config.text;
    for (const { prompt } of requests) {
      if (prompt.tokens.length === 0) throw new UserError("cannot sample from an empty prompt");
      if (prompt.tokens.length + params.maxTokens > maxPositions) {
        throw new UserError(
          `a prompt of ${prompt.tokens.length} tokens and sampling.maxTokens ${params.maxTokens} exceed the model's ${maxPositions} positions (max_position_embeddings): lower maxTokens or shorten the prompt`,
        );
      }
      const bad = prompt.tokens.find((t) => t < 0 || t >= vocabulary);
      if (bad !== undefined) throw new UserError(`the prompt has token id ${bad}, the model's vocabulary has ${vocabulary}: tokenizer and model do not belong together`);
    }
  }

  /** Whether a token may be the last of a stop string: a quick look before the tail is decoded. Split characters may. */
  private mayEnd(stop: string, token: number): boolean {
    let text = this.tokenTexts.get(token);
    if (text === undefined) {
      text = this.options.decode([token]);
      this.tokenTexts.set(token, text);
    }
    return text.includes(stop[stop.length - 1]) || text.includes("\ufffd");
  }

  private stopped(row: Row, params: SamplingParams): SampledSequence["stopReason"] | null {
    if (this.options.endTokens.has(row.tokens[row.tokens.length - 1])) return "stop";
    const stops = params.stop ?? [];
    if (stops.some((s) => this.mayEnd(s, row.tokens[row.tokens.length - 1]))) {
      // A token is at least a byte: the last `length` tokens and a margin for split characters hold any stop string.
      const tail = row.tokens.slice(-(Math.max(...stops.map((s) => Buffer.byteLength(s))) + 4));
      const text = this.options.decode(tail);
      if (stops.some((s) => text.includes(s))) return "stop";
    }
    return row.tokens.length >= params.maxTokens ? "length" : null;
  }

  async sample(requests: readonly SampleRequest[], params: SamplingParams, aborted: () => boolean = () => false): Promise<SampledSequence[][]> {
    this.check(requests, params);
    const results: SampledSequence[][] = requests.map((r) => r.seeds.map(() => ({ tokens: [], logprobs: [], stopReason: "length" })));
    const most = Math.max(0, ...requests.map((r) => r.seeds.length));
    if (most === 0 || params.maxTokens <= 0) return results;
    const { slots } = this.options;
    const group = Math.min(slots, most);
    const waiting = jobsOf(requests, group);
    const toPrefill = requests.flatMap((r, i) => (r.seeds.length > 0 ? [i] : []));
    const prefilled = new Map<number, Prefilled>();
    const prefillOf = async (request: number): Promise<Prefilled> => {
      if (!prefilled.has(request)) {
        for (const [index, done] of await this.prefill(requests, toPrefill.splice(0, prefillBatch))) prefilled.set(index, done);
      }
      const done = prefilled.get(request);
      if (!done) throw new Error("a lane was started before its prompt");
      return done;
    };
    // Rows that ended leave idle slots behind: twice the lanes keep the batch full.
    const lanes = new Lanes(this.model.config.text, Math.min(waiting.length, 2 * Math.ceil(slots / group)), group);
    let running = 0;
    for (;;) {
      for (let job = waiting.at(0); job !== undefined && job.seeds.length <= slots - running && !lanes.full; job = waiting.at(0)) {
        waiting.shift();
        lanes.start(job, await prefillOf(job.request));
        running += job.seeds.length;
        if (waiting.at(0)?.request !== job.request) prefilled.delete(job.request);
      }
      const places = lanes.places();
      if (places.length === 0) return results;
      if (aborted()) throw new Error("sampling was aborted");
      await this.step(requests, lanes, places, params);
      const ended = places.filter(({ row, request }) => {
        const stopReason = this.stopped(row, params);
        if (stopReason !== null) results[request][row.completion] = { tokens: row.tokens, logprobs: row.logprobs, stopReason };
        return stopReason !== null;
      });
      lanes.remove(ended);
      running -= ended.length;
    }
  }

  /** Decodes one token for every row under way and stores its keys and values. */
  private async step(requests: readonly SampleRequest[], lanes: Lanes, places: readonly Place[], params: SamplingParams): Promise<void> {
    const { text } = this.model.config;
    lanes.reserve(places);
    const { cache, group } = lanes;
    const { prefix, own } = cache;
    const truncated = (params.topP ?? 1) < 1 || (params.topK ?? 0) > 0;
    const shape: DecodeShape = { group, choose: params.temperature === 0 ? "greedy" : truncated ? "logprobs" : "draw" };
    const sizes = { rows: places.length, lanes: lanes.count, prefix, own, places: prefix + own + 1 };
    const { named, uniforms } = stepFeeds(text, this.rotation, sizes, group, places, requests, params.temperature);
    const out = await this.model.decode(shape, { ...named, ...cache.feeds(sizes.lanes) }, sizes);
    const layers = (name: string): Float32Array[] => Array.from({ length: text.layers }, (_, l) => out[`${name}.${l}`] as Float32Array);
    cache.store(places.map(({ lane, slot, row }) => ({ lane, slot, place: row.tokens.length })), layers("keys"), layers("values"));
    for (const [r, { row }] of places.entries()) {
      if (shape.choose === "logprobs") {
        const logprobs = (out.logprobs as Float32Array).subarray(r * text.vocabulary, (r + 1) * text.vocabulary);
        const token = chooseToken(logprobs, uniforms[r], { topP: params.topP ?? 1, topK: params.topK ?? 0 });
        row.tokens.push(token);
        row.logprobs.push(logprobs[token]);
      } else {
        row.tokens.push(Number(out.token[r]));
        row.logprobs.push(Number(out.logprob[r]));
      }
    }
  }
}

/**
 * Rollouts: each prompt's prefix is run once and its keys and values are handed to all of its completions; rows decode
 * together, a row that ends gives its place to one that waits, and the batch shrinks when none waits.
 */
import { RandomStream } from "../../../util/random.js";
import { UserError } from "../../../util/errors.js";
import type { SampledSequence, SampleRequest, SamplingParams } from "../../engine.js";
import { decodeFeeds } from "../model/feeds.js";
import { promptPositions, TextRotation } from "../model/geometry.js";
import { buildDecodeGraph, buildPrefillGraph, type DecodeShape, type PrefillShape } from "../model/sample-graphs.js";
import { chooseToken } from "./choose.js";
import { KvCache } from "./kv-cache.js";
import type { LocalModel } from "./model.js";
import { prefixFeeds, visionFeedsOf, visionShape, type Feed } from "./pack.js";

export interface SamplerOptions {
  /** Rows decoded together. */
  readonly slots: number;
  /** Token ids that end a completion. */
  readonly endTokens: ReadonlySet<number>;
  /** Text of tokens, for stop strings. */
  readonly decode: (tokens: readonly number[]) => string;
}

interface Prefilled {
  readonly request: number;
  /** Per layer `[places, keyHeads·headDim]`. */
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  /** Cached places: the prompt without its last token. */
  readonly places: number;
  /** Position of the first completion token. */
  readonly next: number;
}

interface ActiveRow {
  readonly request: number;
  readonly completion: number;
  readonly random: RandomStream;
  readonly prefill: Prefilled;
  readonly tokens: number[];
  readonly logprobs: number[];
}

const prefillBatch = 8;
const rowBucket = 16;
const placeBucket = 32;
const roundUp = (n: number, multiple: number): number => Math.max(1, Math.ceil(n / multiple)) * multiple;

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
  private async prefill(requests: readonly SampleRequest[], indices: readonly number[]): Promise<Prefilled[]> {
    const { config } = this.model;
    const prompts = indices.map((i) => requests[i].prompt);
    const positions = prompts.map((p) => promptPositions(p, config.imageToken, config.vision.merge));
    const prefix = roundUp(Math.max(...prompts.map((p) => p.tokens.length - 1)), 8);
    const shape: PrefillShape = { prompts: prompts.length, prefix, vision: visionShape(prompts) };
    const runnable = await this.model.compile(JSON.stringify(["prefill", shape]), () => buildPrefillGraph(this.model.graphContext, shape));
    const feeds: Record<string, Feed> = prefixFeeds(prompts, positions, prefix, this.rotation, this.model.allocate);
    if (shape.vision) Object.assign(feeds, visionFeedsOf(config, prompts, positions, prefix, shape.vision, this.model.allocate));
    const out = await this.model.run(runnable, feeds);
    const width = config.text.keyHeads * config.text.headDim;
    return indices.map((request, p) => {
      const part = (name: string): Float32Array[] =>
        Array.from({ length: config.text.layers }, (_, l) => (out[`${name}.${l}`] as Float32Array).subarray(p * prefix * width, (p + 1) * prefix * width));
      return { request, keys: part("keys"), values: part("values"), places: prompts[p].tokens.length - 1, next: positions[p].next };
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

  private stopped(row: ActiveRow, params: SamplingParams): SampledSequence["stopReason"] | null {
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
    const waiting = requests.flatMap((r, request) => r.seeds.map((seed, completion) => ({ request, completion, seed })));
    if (waiting.length === 0 || params.maxTokens <= 0) return results;
    waiting.reverse();
    const slots = Math.min(this.options.slots, waiting.length);
    const prefilled = new Map<number, Prefilled>();
    const toPrefill = requests.flatMap((r, i) => (r.seeds.length > 0 ? [i] : []));
    const longest = Math.max(...requests.map((r) => r.prompt.tokens.length));
    const cache = new KvCache(this.model.config.text, roundUp(slots, rowBucket), roundUp(longest + placeBucket / 2, placeBucket));
    const active: ActiveRow[] = [];

    const start = async (slot: number): Promise<void> => {
      const row = waiting.pop();
      if (!row) return;
      if (!prefilled.has(row.request)) {
        const indices = toPrefill.splice(0, prefillBatch);
        for (const done of await this.prefill(requests, indices)) prefilled.set(done.request, done);
      }
      const prefill = prefilled.get(row.request);
      if (!prefill) throw new Error("a row was started before its prompt");
      for (const request of prefilled.keys()) if (request < row.request) prefilled.delete(request);
      cache.clear(slot);
      const width = this.model.config.text.keyHeads * this.model.config.text.headDim;
      for (let place = 0; place < prefill.places; place++) {
        for (let l = 0; l < prefill.keys.length; l++) cache.store(l, slot, place, prefill.keys[l], prefill.values[l], place * width);
        cache.show(slot, place);
      }
      active[slot] = { request: row.request, completion: row.completion, random: new RandomStream(row.seed), prefill, tokens: [], logprobs: [] };
    };
    for (let slot = 0; slot < slots; slot++) await start(slot);

    while (active.length > 0) {
      if (aborted()) throw new Error("sampling was aborted");
      await this.step(requests, active, cache, params);
      for (let slot = active.length - 1; slot >= 0; slot--) {
        const row = active[slot];
        const stopReason = this.stopped(row, params);
        if (stopReason === null) continue;
        results[row.request][row.completion] = { tokens: row.tokens, logprobs: row.logprobs, stopReason };
        if (waiting.length > 0) {
          await start(slot);
          continue;
        }
        const last = active.length - 1;
        if (slot !== last) {
          cache.move(last, slot);
          active[slot] = active[last];
        }
        active.pop();
      }
    }
    return results;
  }

  /** Decodes one token for every active row and stores its keys and values. */
  private async step(requests: readonly SampleRequest[], active: readonly ActiveRow[], cache: KvCache, params: SamplingParams): Promise<void> {
    const { text } = this.model.config;
    const { half } = this.rotation;
    const width = text.keyHeads * text.headDim;
    const rows = roundUp(active.length, rowBucket);
    const needed = Math.max(...active.map((r) => r.prefill.places + r.tokens.length + 1));
    if (needed > cache.capacity) cache.grow(roundUp(needed, placeBucket));
    const { capacity } = cache;
    const truncated = (params.topP ?? 1) < 1 || (params.topK ?? 0) > 0;
    const greedy = params.temperature === 0;
    const shape: DecodeShape = { rows, capacity, choose: greedy ? "greedy" : truncated ? "logprobs" : "draw" };
    const runnable = await this.model.compile(`decode,${rows},${capacity},${shape.choose}`, () => buildDecodeGraph(this.model.graphContext, shape));

    const tokens = new BigInt64Array(rows);
    const cos = new Float32Array(rows * half);
    const sin = new Float32Array(rows * half);
    const uniforms = new Float32Array(rows);
    for (const [r, row] of active.entries()) {
      const { tokens: prompt } = requests[row.request].prompt;
      tokens[r] = BigInt(row.tokens.length === 0 ? prompt[prompt.length - 1] : row.tokens[row.tokens.length - 1]);
      const position = row.prefill.next - 1 + row.tokens.length;
      this.rotation.write([position, position, position], cos, sin, r);
      // 24 bits, so that rounding to single precision cannot give 1.
      if (!greedy) uniforms[r] = Math.floor(row.random.uniform() * 2 ** 24) / 2 ** 24;
    }
    const feeds: Record<string, Feed> = {
      [decodeFeeds.tokens]: tokens,
      [decodeFeeds.cos]: cos,
      [decodeFeeds.sin]: sin,
      [decodeFeeds.mask]: cache.mask.subarray(0, rows * capacity),
      [decodeFeeds.uniforms]: uniforms,
      [decodeFeeds.inverseTemperature]: new Float32Array([greedy ? 1 : 1 / params.temperature]),
    };
    for (let l = 0; l < text.layers; l++) {
      feeds[`cache.keys.${l}`] = cache.keys[l].subarray(0, rows * width * capacity);
      feeds[`cache.values.${l}`] = cache.values[l].subarray(0, rows * width * capacity);
    }
    const out = await this.model.run(runnable, feeds);
    for (const [r, row] of active.entries()) {
      const place = row.prefill.places + row.tokens.length;
      for (let l = 0; l < text.layers; l++) {
        cache.store(l, r, place, out[`keys.${l}`] as Float32Array, out[`values.${l}`] as Float32Array, r * width);
      }
      cache.show(r, place);
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

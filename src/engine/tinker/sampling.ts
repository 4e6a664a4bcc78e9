/** Completions: requests of one prompt each, many in flight, joined in order. */
import { setMaxListeners } from "node:events";
import pLimit from "p-limit";
import type { SampledSequence, SampleRequest, SamplingParams } from "../engine.js";
import { type ImageFiles, modelInput } from "./chunks.js";
import type { SampleCall, TinkerClient } from "./client.js";
import { TinkerError } from "./errors.js";
import type { SampleOutput } from "./schemas.js";

export interface SamplerOptions {
  readonly maxInFlight: number;
  readonly groupSeeds: "own" | "first";
  readonly endTokens: readonly number[];
  readonly imageToken: number | null;
}

interface Job {
  readonly request: number;
  /** Place of its first completion in the group. */
  readonly at: number;
  readonly samples: number;
  readonly seed: number;
}

/** Servers keep seeds as signed 32-bit numbers. */
const seedRange = 2 ** 31;
/** A sample that fails on the server is asked for again: it changes nothing. */
const maxTries = 3;

/** Requests as few as the seeds allow: completion i of one has the seed `seed + i`. */
export function jobsOf(requests: readonly SampleRequest[], groupSeeds: "own" | "first"): Job[] {
  return requests.flatMap(({ seeds }, request) => {
    const jobs: Job[] = [];
    let at = 0;
    while (at < seeds.length) {
      const seed = seeds[at] % seedRange;
      let samples = 1;
      if (groupSeeds === "first") samples = seeds.length;
      else while (at + samples < seeds.length && seeds[at + samples] % seedRange === seed + samples) samples++;
      jobs.push({ request, at, samples, seed: Math.min(seed, seedRange - 1 - samples) });
      at += samples;
    }
    return jobs;
  });
}

export class Sampler {
  private readonly limit;

  constructor(
    private readonly client: TinkerClient,
    private readonly options: SamplerOptions,
    private readonly images: ImageFiles,
  ) {
    this.limit = pLimit(options.maxInFlight);
  }

  /** @param from makes the source of each request. Rejects with the signal's reason when aborted. */
  async sample(requests: readonly SampleRequest[], params: SamplingParams, from: () => SampleCall["from"], signal?: AbortSignal): Promise<SampledSequence[][]> {
    const jobs = jobsOf(requests, this.options.groupSeeds);
    // The first failure ends the others.
    const stop = new AbortController();
    const together = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    // Each request in flight listens to it: many listeners are no leak here.
    setMaxListeners(0, together);
    const results: SampledSequence[][] = requests.map(({ seeds }) => new Array<SampledSequence>(seeds.length));
    const prompts = requests.map(({ prompt }) => modelInput(prompt, prompt.tokens, this.options.imageToken, this.images));
    try {
      await Promise.all(
        jobs.map((job) =>
          this.limit(async () => {
            together.throwIfAborted();
            const call = { ...this.call(job, params), prompt: await prompts[job.request] };
            const output = await this.request(call, from, together);
            if (output.sequences.length !== job.samples) throw new TinkerError("rejected", `the server answered with ${output.sequences.length} completions for ${job.samples}`);
            output.sequences.forEach((sequence, i) => (results[job.request][job.at + i] = this.finish(sequence, params)));
          }),
        ),
      );
    } catch (error) {
      stop.abort(error);
      signal?.throwIfAborted();
      throw error;
    }
    return results;
  }

  private call({ samples, seed }: Job, params: SamplingParams): Omit<SampleCall, "from" | "prompt"> {
    const { maxTokens, temperature, topP = 1, topK = 0, stop = [] } = params;
    return {
      ...{ samples, seed, maxTokens, temperature, topP },
      topK: topK === 0 ? -1 : topK,
      // Servers take texts or tokens, not both; with texts the end of the sequence is cut here.
      stop: stop.length > 0 ? stop : this.options.endTokens,
      promptLogprobs: false,
    };
  }

  private async request(call: Omit<SampleCall, "from">, from: () => SampleCall["from"], signal: AbortSignal): Promise<SampleOutput> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await (await this.client.sample({ ...call, from: from() }, signal)).result(signal);
      } catch (error) {
        const again = error instanceof TinkerError && error.fault === "failed" && !lostWeights(error) && attempt < maxTries;
        if (!again) throw error;
      }
    }
  }

  /** Ends at the first end-of-sequence token, which is kept. */
  private finish({ tokens, logprobs, stop_reason }: SampleOutput["sequences"][number], { maxTokens }: SamplingParams): SampledSequence {
    if (logprobs === null || logprobs === undefined || logprobs.length !== tokens.length) {
      throw new TinkerError("rejected", "the server gave completions without log-probabilities, which training needs");
    }
    const end = tokens.findIndex((t) => this.options.endTokens.includes(t));
    const length = Math.min(end < 0 ? tokens.length : end + 1, maxTokens);
    return {
      tokens: tokens.slice(0, length),
      logprobs: logprobs.slice(0, length).map((p) => Math.min(p, 0)),
      stopReason: end >= 0 && end < length ? "stop" : stop_reason,
    };
  }
}

/** The sampler's weights are gone from the server, or were never written whole. */
export function lostWeights({ fault, message }: TinkerError): boolean {
  return fault === "gone" || /checkpoint|no such file|not found|cannot open/i.test(message);
}

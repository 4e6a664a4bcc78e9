import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
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
} from "../../src/engine/engine.js";
import { RandomStream } from "../../src/util/random.js";
import type { Datum } from "../../src/types.js";

export interface TabularOptions {
  /** Text of each token. */
  readonly vocabulary: readonly string[];
  /** Start logits of the next token at position `t` of a completion. */
  readonly prior: (position: number) => readonly number[];
  /** Positions with an own row of logits; later ones share the last row. */
  readonly positions: number;
  readonly maxSequenceTokens?: number;
  /** Milliseconds that every call takes at least, so that a test can interrupt it. */
  readonly delay?: number;
  /** Samples at the call, whatever is updated while it waits. */
  readonly samplesWhileTraining?: boolean;
}

/**
 * A softmax policy with one row of logits for each (last prompt token, position): small enough to train in a blink,
 * with the exact gradients, moments and state of the Engine contract.
 */
export class TabularEngine implements Engine {
  readonly capabilities: EngineCapabilities;
  private weights = new Map<string, Float64Array>();
  private gradient = new Map<string, Float64Array>();
  private first = new Map<string, Float64Array>();
  private second = new Map<string, Float64Array>();
  private updates = 0;

  constructor(private readonly options: TabularOptions) {
    this.capabilities = {
      name: "tabular",
      maxSequenceTokens: options.maxSequenceTokens ?? 1000,
      vocabularySize: options.vocabulary.length,
      images: false,
      trains: ["full"],
      reference: true,
      exactResume: true,
      samplesWhileTraining: options.samplesWhileTraining === true,
    };
  }

  async sample(requests: readonly SampleRequest[], params: SamplingParams, signal?: AbortSignal): Promise<SampledSequence[][]> {
    const sampleAll = () => requests.map(({ prompt, seeds }) => seeds.map((seed) => this.sampleOne(prompt.tokens, seed, params)));
    const early = this.options.samplesWhileTraining ? sampleAll() : null;
    await this.pause(signal);
    return early ?? sampleAll();
  }

  async forward(data: readonly Pick<Datum, "prompt" | "completion">[], options: ForwardOptions = {}): Promise<number[][]> {
    await this.pause();
    return data.map(({ prompt, completion }) =>
      completion.map((token, t) => Math.log(this.probabilities(prompt.tokens, t, options.temperature ?? 1, options.weights)[token])),
    );
  }

  async forwardBackward(data: readonly Datum[], loss: LossSpec): Promise<ForwardBackwardResult> {
    await this.pause();
    const temperature = loss.kind === "policy" ? loss.temperature : 1;
    const sums = { loss: 0, kl: 0, clipped: 0, entropy: 0, weight: 0, tokens: 0 };
    const logprobs = data.map((datum) => {
      sums.tokens += datum.prompt.tokens.length + datum.completion.length;
      return datum.completion.map((token, t) => {
        const p = this.probabilities(datum.prompt.tokens, t, temperature);
        const logprob = Math.log(p[token]);
        const w = datum.weights[t];
        const term = loss.kind === "cross_entropy" ? { value: -logprob, slope: -1, kl: 0, clipped: false } : policyTerm(logprob, datum, t, loss);
        sums.loss += w * term.value;
        sums.kl += w * term.kl;
        sums.clipped += term.clipped ? w : 0;
        sums.weight += w;
        sums.entropy -= w * p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0);
        const row = rowOf(this.gradient, this.key(datum.prompt.tokens, t), () => new Float64Array(p.length));
        for (let v = 0; v < p.length; v++) row[v] += ((w * term.slope) / temperature) * ((v === token ? 1 : 0) - p[v]);
        return logprob;
      });
    });
    const mean = (sum: number) => (sums.weight === 0 ? 0 : sum / sums.weight);
    return {
      ...{ loss: sums.loss, logprobs, kl: mean(sums.kl), clipFraction: mean(sums.clipped) },
      ...{ entropy: mean(sums.entropy), tokens: sums.tokens },
    };
  }

  async optimStep(params: AdamWParams): Promise<OptimStepResult> {
    await this.pause();
    let square = 0;
    for (const row of this.gradient.values()) for (const g of row) square += g * g;
    const gradNorm = Math.sqrt(square);
    const scale = params.maxGradNorm > 0 && gradNorm > params.maxGradNorm ? params.maxGradNorm / gradNorm : 1;
    this.updates++;
    const { beta1, beta2 } = params;
    for (const key of new Set([...this.first.keys(), ...this.gradient.keys()])) {
      const size = this.options.vocabulary.length;
      const w = this.row(key);
      const g = this.gradient.get(key) ?? new Float64Array(size);
      const m = rowOf(this.first, key, () => new Float64Array(size));
      const v = rowOf(this.second, key, () => new Float64Array(size));
      for (let i = 0; i < size; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i] * scale;
        v[i] = beta2 * v[i] + (1 - beta2) * (g[i] * scale) ** 2;
        const step = m[i] / (1 - beta1 ** this.updates) / (Math.sqrt(v[i] / (1 - beta2 ** this.updates)) + params.eps);
        w[i] -= params.learningRate * (step + params.weightDecay * w[i]);
      }
    }
    this.gradient = new Map();
    return { gradNorm };
  }

  async save(dir: string, what: "weights" | "state"): Promise<void> {
    writeFileSync(join(dir, "weights.json"), tableText(this.weights));
    await this.pause();
    if (what === "weights") return;
    mkdirSync(join(dir, "optimizer"));
    writeFileSync(join(dir, "optimizer", "first.json"), tableText(this.first));
    writeFileSync(join(dir, "optimizer", "second.json"), tableText(this.second));
    writeFileSync(join(dir, "optimizer", "updates.json"), String(this.updates));
  }

  async load(dir: string): Promise<void> {
    await this.pause();
    const read = (name: string) => readFileSync(join(dir, name), "utf8");
    this.weights = tableOf(read("weights.json"));
    this.first = tableOf(read("optimizer/first.json"));
    this.second = tableOf(read("optimizer/second.json"));
    this.updates = Number(read("optimizer/updates.json"));
    this.gradient = new Map();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private sampleOne(prompt: readonly number[], seed: number, params: SamplingParams): SampledSequence {
    const random = new RandomStream(seed);
    const tokens: number[] = [];
    const logprobs: number[] = [];
    let text = "";
    while (tokens.length < params.maxTokens) {
      const greedy = params.temperature === 0;
      const p = this.probabilities(prompt, tokens.length, greedy ? 1 : params.temperature);
      const token = greedy ? p.indexOf(Math.max(...p)) : draw(p, random.uniform());
      tokens.push(token);
      logprobs.push(Math.log(p[token]));
      text += this.options.vocabulary[token];
      if (params.stop?.some((stop) => text.includes(stop))) return { tokens, logprobs, stopReason: "stop" };
    }
    return { tokens, logprobs, stopReason: "length" };
  }

  private probabilities(prompt: readonly number[], t: number, temperature: number, weights: "current" | "reference" = "current"): number[] {
    const logits = weights === "reference" ? this.options.prior(this.positionOf(t)) : this.row(this.key(prompt, t));
    const top = Math.max(...logits);
    const exps = Array.from(logits, (x) => Math.exp((x - top) / temperature));
    const sum = exps.reduce((a, b) => a + b, 0);
    return exps.map((x) => x / sum);
  }

  private positionOf(t: number): number {
    return Math.min(t, this.options.positions - 1);
  }

  private key(prompt: readonly number[], t: number): string {
    return `${prompt[prompt.length - 1]}:${this.positionOf(t)}`;
  }

  private row(key: string): Float64Array {
    return rowOf(this.weights, key, () => Float64Array.from(this.options.prior(Number(key.split(":")[1]))));
  }

  private async pause(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.options.delay) await sleep(this.options.delay);
  }
}

/** Value of a token's loss term and its derivative by log p. */
function policyTerm(logprob: number, datum: Datum, t: number, loss: Extract<LossSpec, { kind: "policy" }>) {
  const advantage = datum.advantages?.[t] ?? 0;
  const ratio = Math.exp(logprob - (datum.logprobs?.[t] ?? logprob));
  const clippedRatio = Math.min(Math.max(ratio, 1 - loss.epsLow), 1 + loss.epsHigh);
  const clipped = clippedRatio * advantage < ratio * advantage;
  const reference = datum.referenceLogprobs?.[t];
  const d = reference === undefined ? 0 : reference - logprob;
  const kl = Math.exp(d) - d - 1;
  return {
    value: -Math.min(ratio * advantage, clippedRatio * advantage) + loss.klCoef * kl,
    slope: (clipped ? 0 : -ratio * advantage) + loss.klCoef * (1 - Math.exp(d)),
    kl,
    clipped,
  };
}

function draw(p: readonly number[], u: number): number {
  let sum = 0;
  for (let v = 0; v < p.length; v++) if (u < (sum += p[v])) return v;
  return p.length - 1;
}

function rowOf(table: Map<string, Float64Array>, key: string, make: () => Float64Array): Float64Array {
  let row = table.get(key);
  if (row === undefined) table.set(key, (row = make()));
  return row;
}

function tableText(table: ReadonlyMap<string, Float64Array>): string {
  const rows = [...table].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(rows.map(([key, row]) => [key, [...row]]));
}

function tableOf(text: string): Map<string, Float64Array> {
  return new Map((JSON.parse(text) as [string, number[]][]).map(([key, row]) => [key, Float64Array.from(row)]));
}

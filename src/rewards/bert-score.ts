/**
 * BERTScore (Zhang et al. 2020) of answer pairs, as the Python library bert_score computes it without idf and without
 * rescaling: each token of one text takes its largest cosine with a token of the other; precision is the mean over the
 * candidate's tokens, recall over the reference's, F1 their harmonic mean.
 *
 * [CLS] and [SEP] stay out of both means, yet a token may be matched with them (their idf weight is 0 there, their
 * embedding is not masked). A text without any other token scores 0. Where precision or recall is not positive F1 is 0:
 * the harmonic mean has no meaning there (only untrained encoders get so far).
 */
import type { AnswerPair, BertScoreEncoder } from "./answer.js";

/** One text's contextual embeddings. */
export interface TokenEmbeddings {
  /** `[T, D]` row-major, not normalised. */
  readonly vectors: Float32Array;
  /** D */
  readonly width: number;
  /** `[T]`: takes part in the means; false for [CLS] and [SEP]. */
  readonly counts: readonly boolean[];
}

/** Turns texts into token embeddings; one result a text, in order. */
export interface TokenEncoder {
  readonly name: string;
  embed(texts: readonly string[], signal?: AbortSignal): Promise<readonly TokenEmbeddings[]>;
  close?(): Promise<void>;
}

export interface BertScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Greedy matching of two texts; cosines in double precision. */
export function greedyMatch(candidate: TokenEmbeddings, reference: TokenEmbeddings): BertScore {
  const { width } = candidate;
  if (reference.width !== width) throw new RangeError(`embeddings of width ${width} and ${reference.width}`);
  const a = unitRows(candidate);
  const b = unitRows(reference);
  const bestA = new Float64Array(candidate.counts.length).fill(-Infinity);
  const bestB = new Float64Array(reference.counts.length).fill(-Infinity);
  for (let i = 0; i < bestA.length; i++) {
    for (let j = 0; j < bestB.length; j++) {
      let dot = 0;
      for (let d = 0; d < width; d++) dot += a[i * width + d] * b[j * width + d];
      if (dot > bestA[i]) bestA[i] = dot;
      if (dot > bestB[j]) bestB[j] = dot;
    }
  }
  const precision = meanOf(bestA, candidate.counts);
  const recall = meanOf(bestB, reference.counts);
  if (precision === null || recall === null) return { precision: 0, recall: 0, f1: 0 };
  const f1 = precision > 0 && recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
  return { precision, recall, f1: Math.min(1, f1) };
}

function unitRows({ vectors, width, counts }: TokenEmbeddings): Float64Array {
  if (vectors.length !== width * counts.length) throw new RangeError(`${vectors.length} numbers for ${counts.length} tokens of width ${width}`);
  const out = Float64Array.from(vectors);
  for (let i = 0; i < counts.length; i++) {
    const row = out.subarray(i * width, (i + 1) * width);
    const norm = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    if (norm > 0) for (let d = 0; d < width; d++) row[d] /= norm;
  }
  return out;
}

function meanOf(best: Float64Array, counts: readonly boolean[]): number | null {
  let sum = 0;
  let n = 0;
  for (const [i, counted] of counts.entries()) {
    if (!counted) continue;
    sum += best[i];
    n++;
  }
  return n === 0 ? null : sum / n;
}

export interface BertScorerOptions {
  /** Numbers kept of the embeddings of texts seen before; gold answers come back for every completion of a group. */
  readonly cacheNumbers?: number;
}

/** Scores pairs with the embeddings of an encoder; a text is embedded once however many pairs it is in. */
export class BertScorer implements BertScoreEncoder {
  readonly name: string;
  private readonly cache = new Map<string, TokenEmbeddings>();
  private cached = 0;
  private readonly limit: number;

  constructor(
    private readonly encoder: TokenEncoder,
    { cacheNumbers = 1 << 24 }: BertScorerOptions = {},
  ) {
    this.name = encoder.name;
    this.limit = cacheNumbers;
  }

  async f1(pairs: readonly AnswerPair[], signal?: AbortSignal): Promise<number[]> {
    return (await this.scores(pairs, signal)).map(({ f1 }) => f1);
  }

  async scores(pairs: readonly AnswerPair[], signal?: AbortSignal): Promise<BertScore[]> {
    const embeddings = new Map<string, TokenEmbeddings>();
    for (const { answer, gold } of pairs) for (const text of [answer, gold]) this.lookUp(text, embeddings);
    const missing = [...new Set(pairs.flatMap(({ answer, gold }) => [answer, gold]))].filter((text) => !embeddings.has(text));
    const made = missing.length === 0 ? [] : await this.encoder.embed(missing, signal);
    if (made.length !== missing.length) throw new Error(`${this.name} embedded ${made.length} of ${missing.length} texts`);
    missing.forEach((text, i) => {
      embeddings.set(text, made[i]);
      this.keep(text, made[i]);
    });
    return pairs.map(({ answer, gold }) => {
      const [candidate, reference] = [embeddings.get(answer), embeddings.get(gold)];
      if (candidate === undefined || reference === undefined) throw new Error(`${this.name} embedded no text ${JSON.stringify(answer)}`);
      return greedyMatch(candidate, reference);
    });
  }

  async close(): Promise<void> {
    this.cache.clear();
    await this.encoder.close?.();
  }

  private lookUp(text: string, into: Map<string, TokenEmbeddings>): void {
    const known = this.cache.get(text);
    if (known === undefined) return;
    into.set(text, known);
    // Least recently used first: a map keeps the order of insertion.
    this.cache.delete(text);
    this.cache.set(text, known);
  }

  private keep(text: string, made: TokenEmbeddings): void {
    this.cache.set(text, made);
    this.cached += made.vectors.length;
    for (const [oldest, entry] of this.cache) {
      if (this.cached <= this.limit) break;
      this.cache.delete(oldest);
      this.cached -= entry.vectors.length;
    }
  }
}

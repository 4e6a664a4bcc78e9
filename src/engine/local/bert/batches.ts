/** Texts → batches of few shapes, so that few compiled graphs serve all. */
import type { EncodedText } from "./tokens.js";
import type { BertShape } from "./graph.js";

/** Tokens of one run, padding included: enough to keep a core busy, little enough to stay in its cache. */
const tokensPerRun = 1024;

/** Longer lengths are rounded more coarsely; `longest` is a length of its own. */
export function paddedLength(tokens: number, longest: number): number {
  const step = tokens <= 64 ? 8 : 32;
  return Math.min(longest, Math.ceil(tokens / step) * step);
}

export interface TextBatch {
  readonly shape: BertShape;
  /** Indices into the texts, at most `shape.rows`. */
  readonly texts: readonly number[];
}

/** Texts of one padded length share runs; rows are rounded up to a power of two. */
export function textBatches(texts: readonly EncodedText[], longest: number): TextBatch[] {
  const byLength = new Map<number, number[]>();
  texts.forEach(({ ids }, i) => {
    const tokens = paddedLength(ids.length, longest);
    const group = byLength.get(tokens) ?? [];
    group.push(i);
    byLength.set(tokens, group);
  });
  const batches: TextBatch[] = [];
  for (const [tokens, group] of [...byLength].sort(([a], [b]) => a - b)) {
    const most = 2 ** Math.max(0, Math.floor(Math.log2(tokensPerRun / tokens)));
    for (let from = 0; from < group.length; from += most) {
      const part = group.slice(from, from + most);
      batches.push({ shape: { rows: 2 ** Math.ceil(Math.log2(part.length)), tokens }, texts: part });
    }
  }
  return batches;
}

/** `ids` `[B, T]` and the additive `mask` `[B, 1, 1, T]`; rows that no text fills are padding. */
export function batchFeeds(texts: readonly EncodedText[], { shape, texts: rows }: TextBatch, padding: number): { ids: BigInt64Array; mask: Float32Array } {
  const size = shape.rows * shape.tokens;
  const ids = new BigInt64Array(size).fill(BigInt(padding));
  const mask = new Float32Array(size).fill(masked);
  rows.forEach((text, row) => {
    texts[text].ids.forEach((id, t) => {
      ids[row * shape.tokens + t] = BigInt(id);
      mask[row * shape.tokens + t] = 0;
    });
  });
  return { ids, mask };
}

/** exp(−1e9) is 0 in single precision; a row of nothing else stays finite. */
const masked = -1e9;

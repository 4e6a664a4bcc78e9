/** ROUGE-1 and BLEU-1 of short answers, number for number as the reference's Python libraries give them. */
import { splitAtBlanks } from "../util/blanks.js";
import { porterStem } from "./porter.js";

/** Tags out, then rouge_score's tokens: lower case, runs of a–z and 0–9, words of more than 3 letters stemmed. */
export function rougeTokens(text: string): string[] {
  const words = text.replace(/<[^>]+>/g, " ").toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.map((word) => (word.length > 3 ? porterStem(word) : word));
}

/** F1 of unigram overlap with clipped counts (rouge_score, `rouge1` with stemmer); 0 where either has no words. */
export function rouge1(prediction: string, reference: string): number {
  const predicted = rougeTokens(prediction);
  const expected = rougeTokens(reference);
  const overlap = clippedOverlap(predicted, expected);
  const precision = overlap / Math.max(predicted.length, 1);
  const recall = overlap / Math.max(expected.length, 1);
  return precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
}

/**
 * NLTK's sentence BLEU with weights (1, 0, 0, 0) and smoothing method 4 on blank-separated tokens. That smoothing
 * changes only orders without a match, whose weight here is 0, and no match of words is 0 before any smoothing: what
 * remains is clipped unigram precision times the brevity penalty.
 */
export function bleu1(prediction: string, reference: string): number {
  const predicted = splitAtBlanks(prediction);
  const expected = splitAtBlanks(reference);
  const overlap = clippedOverlap(predicted, expected);
  if (overlap === 0) return 0;
  const brevity = predicted.length > expected.length ? 1 : Math.exp(1 - expected.length / predicted.length);
  return (brevity * overlap) / predicted.length;
}

function clippedOverlap(a: readonly string[], b: readonly string[]): number {
  const left = new Map<string, number>();
  for (const token of b) left.set(token, (left.get(token) ?? 0) + 1);
  let overlap = 0;
  for (const token of a) {
    const count = left.get(token) ?? 0;
    if (count > 0) {
      overlap++;
      left.set(token, count - 1);
    }
  }
  return overlap;
}

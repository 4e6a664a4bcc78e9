/**
 * English sentences of clinical prose, in the manner of Punkt (Kiss & Strunk 2006): a full stop, question or
 * exclamation mark before blank space ends a sentence unless it belongs to an abbreviation, an initial, an ordinal or
 * an ellipsis. Punkt learns these from a corpus; here a list of clinical and general abbreviations and a list of words
 * that start sentences take the place of its statistics.
 *
 * Departures from Punkt (its published English model), each of which keeps one thought in one step:
 * - "e.g.", "i.e.", "Fig.", "approx.", "q.d." and other clinical abbreviations are known;
 * - a mark inside closing brackets or quotes before a lower-case word ends nothing: "a mass (?) in the lung";
 * - a list item on a line of its own starts a sentence even where the line before has no full stop;
 * - bare numbering ("1.", "2)", "(3)", a bullet) joins the sentence after it, punctuation left alone the one before it.
 * As in Punkt, a line break alone ends no sentence and neither does a mark without blank space behind it.
 *
 * Sentences cover the text: every non-blank character is in exactly one.
 */
import type { Span } from "../types.js";
import {
  abbreviations,
  beforeName,
  beforeNumber,
  modifiers,
  nameContexts,
  neverFinal,
  sentenceStarters,
} from "./sentence-words.js";

const closers = "\"'’”»)\\]}*_";
/** A run of end marks with what closes behind it, then blank space: the only places where a sentence may end. */
const candidate = new RegExp(`[.!?…]+[${closers}]*(?=\\s)`, "g");
/** A line that starts a list item: bullet, "1.", "2)", "(3)" or "Step 4:", with text behind it. */
const listItem = /\n[^\S\n]*(?=(?:[-*•‣–—]|\d{1,3}[.)]|\(\d{1,3}\)|(?:\*\*)?step \d{1,3}[:.])\s+\S)/gi;
const bareNumbering = /^(?:[-*•‣–—]\s*)?[(*[]*(?:\d{1,3}|[-*•‣–—])[.):\]*]*$/;

/** Trimmed, ordered spans of the sentences of `text` (UTF-16 offsets). */
export function sentenceSpans(text: string): Span[] {
  const borders = new Set<number>();
  for (const match of text.matchAll(candidate)) {
    const markEnd = match.index + match[0].length;
    // A closing quote or bracket that stands between blanks is the sentence's own, as Punkt realigns it.
    const end = markEnd + (/^[^\S\n]+["'’”»)\]}]+(?=\s|$)/.exec(text.slice(markEnd, markEnd + 16))?.[0].length ?? 0);
    if (endsSentence(text, match.index, match[0], end)) borders.add(end);
  }
  for (const match of text.matchAll(listItem)) {
    // A heading ("Findings:") goes with the first item below it.
    if (!/[:,;]\s*$/.test(text.slice(Math.max(0, match.index - 80), match.index))) borders.add(match.index);
  }
  const spans: Span[] = [];
  let from = 0;
  for (const to of [...borders].sort((a, b) => a - b).concat(text.length)) {
    const span = trimmed(text, from, to);
    if (span) spans.push(span);
    from = to;
  }
  return joinFragments(text, spans);
}

/** The sentences as strings. */
export function splitSentences(text: string): string[] {
  return sentenceSpans(text).map(({ start, end }) => text.slice(start, end));
}

function endsSentence(text: string, at: number, match: string, end: number): boolean {
  const next = /^\s*(?:[-•‣–—]\s+)?(\S+)/.exec(text.slice(end, end + 200))?.[1] ?? "";
  if (next === "") return true;
  const marks = /^[.!?…]+/.exec(match)?.[0] ?? match;
  const closed = match.length > marks.length;
  const nextWord = next.replace(/^[("'‘“«[{*_]+/, "");
  const lower = /^\p{Ll}/u.test(nextWord);
  const upper = /^\p{Lu}/u.test(nextWord);
  // Sentences do not begin with punctuation: "the lobe (upper?) , which"; a spaced ellipsis ". . ." goes on.
  if (/^[,;:.!?…)\]}]/.test(next)) return false;
  if (closed && lower) return false;
  if (/^(?:\.{2,}|…)/.test(marks)) return upper || (!lower && /^\d/.test(nextWord) === false);
  if (marks !== ".") return true;
  return !isAbbreviation(text, at, nextWord, { lower, upper });
}

interface NextWord {
  readonly lower: boolean;
  readonly upper: boolean;
}

/** Whether the full stop at `at` belongs to the word before it and ends nothing. */
function isAbbreviation(text: string, at: number, nextWord: string, next: NextWord): boolean {
  const before = text.slice(Math.max(0, at - 120), at);
  const token = /\S*$/.exec(before)?.[0] ?? "";
  const word = token.replace(/^.*[(/[]/, "").replace(/^["'‘“«{*_<–—-]+/, "");
  const bare = word.toLowerCase();
  const previous = /(\S+)\s+\S*$/.exec(before)?.[1] ?? "";
  const starter = next.upper && sentenceStarters.has(lettersOf(nextWord).toLowerCase());
  const digit = /^[#<>≤≥~±+-]?\d/.test(nextWord);
  if (/^\p{Lu}$/u.test(word)) return isInitial(previous, nextWord, next, starter);
  if (bare === "no" || bare === "nos") return digit;
  if (neverFinal.has(bare)) return true;
  if (beforeNumber.has(bare)) return !next.upper || /^(?:\p{Lu}|[IVX]+)\d*[.,;:)]?$/u.test(nextWord);
  if (beforeName.has(bare)) return !starter;
  if (modifiers.has(bare)) return !next.upper || /^\p{Lu}{2}/u.test(nextWord);
  if (abbreviations.has(bare)) return !next.upper;
  if (/^(?:\p{L}\.)+\p{L}$/u.test(word)) return !starter;
  if (/^\p{L}$/u.test(word)) return next.lower;
  // An ordinal or a measure goes on in lower case only: "the 3. rib".
  if (/^[-–]?[\d,.]*\d$/.test(word)) return next.lower;
  return false;
}

/** One capital letter and a full stop: "J. Smith" goes on, "hepatitis B. The" and "vitamin C. Bones" end. */
function isInitial(previous: string, nextWord: string, next: NextWord, starter: boolean): boolean {
  if (next.lower) return true;
  if (!next.upper || starter) return false;
  if (/^\p{Lu}\.$/u.test(nextWord)) return true;
  const lead = previous.replace(/^[("'‘“«[{]+/, "").replace(/[,:;]$/, "");
  return lead === "" || /^\p{Lu}(?:\p{Ll}*|\.)\.?$/u.test(lead) || nameContexts.has(lead.toLowerCase());
}

function lettersOf(word: string): string {
  return /^[\p{L}’'-]+/u.exec(word)?.[0] ?? "";
}

function trimmed(text: string, from: number, to: number): Span | null {
  const piece = text.slice(from, to);
  const inner = piece.trim();
  if (inner === "") return null;
  const start = from + piece.indexOf(inner[0]);
  return { start, end: start + inner.length };
}

/** Bare numbering goes with the sentence after it, what has neither letter nor digit (a quote left over) with the one before. */
function joinFragments(text: string, spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  let pending: number | null = null;
  spans.forEach((span, i) => {
    const sentence = text.slice(span.start, span.end);
    const start: number = pending ?? span.start;
    const before = out.at(-1);
    if (i + 1 < spans.length && bareNumbering.test(sentence)) {
      pending = start;
      return;
    }
    if (pending === null && before !== undefined && !/[\p{L}\p{N}]/u.test(sentence)) out[out.length - 1] = { start: before.start, end: span.end };
    else out.push({ start, end: span.end });
    pending = null;
  });
  return out;
}

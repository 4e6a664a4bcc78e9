import { findJson } from "../../llm/json.js";
import type { Parsed } from "../../llm/types.js";
import type { StepVerdict } from "../../types.js";
import { isRecord } from "../../util/json-file.js";
import { isValid } from "../judge.js";

/**
 * The marks of a chain of K steps from a model's reply. Taken are an object with a key for each step ("step1", "1",
 * "Step 1", from 1 or from 0), the same under one more key ("steps", "Reasoning_Check"), and a list in the order of the
 * steps or with their numbers; bits as 0 and 1, booleans, or those in quotes. Where a reply holds several such objects
 * the last one counts: models that think aloud end with their answer.
 * Refused, so that the model is asked again: another number of steps, a mark that is missing or neither 0 nor 1, a step
 * that stands twice with different marks, JSON that is cut off.
 */
export function parseChain(text: string, K: number): Parsed<readonly StepVerdict[]> {
  const found = findJson(text);
  if (found.length === 0) return { error: text.trim() === "" ? "the reply is empty" : "the reply holds no JSON" };
  let problem: string | null = null;
  for (const item of [...found].reverse()) {
    const parsed: Parsed<readonly StepVerdict[]> = "error" in item ? item : chainOf(item.value, K);
    // JSON that is broken at the end was meant to be the answer: what stands before it is a draft.
    if ("value" in parsed || "error" in item) return parsed;
    problem ??= parsed.error;
  }
  return { error: problem ?? "the reply holds no JSON" };
}

function chainOf(value: unknown, K: number): Parsed<readonly StepVerdict[]> {
  const entries = stepEntries(value, 0);
  if (entries === null) return { error: `the reply holds no marks for step1 to step${K}` };
  const byNumber = new Map<number, StepVerdict>();
  for (const [n, marks] of entries) {
    const verdict = verdictOf(marks, n);
    if ("error" in verdict) return verdict;
    const before = byNumber.get(n);
    if (before && (before.alignment !== verdict.value.alignment || before.contribution !== verdict.value.contribution)) {
      return { error: `step ${n} has two different marks` };
    }
    byNumber.set(n, verdict.value);
  }
  const first = byNumber.has(0) ? 0 : 1;
  const verdicts = Array.from({ length: K }, (_, k) => byNumber.get(first + k));
  const complete = verdicts.flatMap((verdict) => (verdict === undefined ? [] : [verdict]));
  if (byNumber.size !== K || complete.length !== K) return { error: `the reply has marks for ${byNumber.size} steps, not for the ${K} given` };
  return { value: complete };
}

/** Numbered marks; `null` where a value has none. Wrappers are looked into two levels deep. */
function stepEntries(value: unknown, depth: number): [number, unknown][] | null {
  if (Array.isArray(value)) {
    const items = value as unknown[];
    if (!items.every((item) => isRecord(item) || Array.isArray(item))) return null;
    const numbers = items.map((item) => (isRecord(item) ? numberIn(item) : null));
    // Either all items carry their number or their order counts.
    const numbered = numbers.every((n) => n !== null);
    // A list of one-key objects: [{"step1": {…}}, {"step2": {…}}].
    const split = items.map((item) => (isRecord(item) ? keyedEntries(item) : []));
    if (items.length > 0 && split.every((entries) => entries.length > 0)) return split.flat();
    return items.map((item, k) => [numbered ? (numbers[k] ?? k + 1) : k + 1, item]);
  }
  if (!isRecord(value)) return null;
  const keyed = keyedEntries(value);
  if (keyed.length > 0) return keyed;
  if (depth >= 2) return null;
  for (const inner of Object.values(value)) {
    const entries = isRecord(inner) || Array.isArray(inner) ? stepEntries(inner, depth + 1) : null;
    if (entries !== null) return entries;
  }
  return null;
}

/** Entries whose keys are step numbers and whose values may be marks. */
function keyedEntries(value: Record<string, unknown>): [number, unknown][] {
  const entries: [number, unknown][] = [];
  for (const [key, marks] of Object.entries(value)) {
    const match = /^\s*(?:step|sentence|s)?[\s_.#-]*(\d+)\s*$/i.exec(key);
    if (match && (isRecord(marks) || Array.isArray(marks))) entries.push([Number(match[1]), marks]);
  }
  return entries;
}

function numberIn(item: Record<string, unknown>): number | null {
  for (const [key, value] of Object.entries(item)) {
    if (!/^(step|index|id|number|no|n|step_?(?:number|index|id)|sentence)$/i.test(key)) continue;
    const match = /^\s*(?:step|sentence)?[\s_-]*(\d+)\s*$/i.exec(String(value));
    if (match) return Number(match[1]);
  }
  return null;
}

function verdictOf(marks: unknown, n: number): Parsed<StepVerdict> {
  const [alignment, contribution] = Array.isArray(marks) && marks.length === 2 ? (marks as unknown[]) : [field(marks, "alignment"), field(marks, "contribution")];
  const a = bitOf(alignment);
  const c = bitOf(contribution);
  if (a === null || c === null) {
    const [name, value] = a === null ? ["alignment", alignment] : ["contribution", contribution];
    return { error: value === undefined ? `step ${n} has no ${name}` : `the ${name} of step ${n} is neither 0 nor 1` };
  }
  return { value: { alignment: a, contribution: c, valid: isValid({ alignment: a, contribution: c }) } };
}

function field(marks: unknown, name: string): unknown {
  if (!isRecord(marks)) return undefined;
  return Object.entries(marks).find(([key]) => key.trim().toLowerCase() === name)?.[1];
}

function bitOf(value: unknown): 0 | 1 | null {
  const text = typeof value === "string" ? value.trim().toLowerCase() : String(value);
  if (text === "1" || text === "true" || text === "yes" || text === "1.0") return 1;
  if (text === "0" || text === "false" || text === "no" || text === "0.0") return 0;
  return null;
}

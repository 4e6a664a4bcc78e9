import { isYesNo, normaliseText } from "../text-match.js";
import { finding, type Finding } from "./findings.js";
import type { DataRow } from "./rows.js";

/** What a row's own texts show. */
export function checkTexts(row: DataRow): Finding[] {
  const found: Finding[] = [];
  if (answerLeaks(row.question, row.answer)) found.push(finding("answer in question", [row.place], `${JSON.stringify(row.question)} has its answer ${JSON.stringify(row.answer)} in it`));
  if (row.goldReasoning !== null) {
    if (!/\p{L}{2}/u.test(row.goldReasoning)) found.push(finding("empty reasoning", [row.place], `the gold reasoning is ${JSON.stringify(row.goldReasoning)}`));
    else if (!isYesNo(row.answer) && !mentions(row.goldReasoning, row.answer)) {
      found.push(finding("answer not in reasoning", [row.place], `the gold reasoning never says ${JSON.stringify(shorten(row.answer))}`));
    }
  }
  return found;
}

/** The answer's words follow each other in the question, which is no choice between answers ("… or …"). */
export function answerLeaks(question: string, answer: string): boolean {
  const [asked, said] = [words(question), words(answer)];
  if (said.length === 0 || isYesNo(answer) || (said.length === 1 && said[0].length < 2)) return false;
  if (!contains(asked, said)) return false;
  const choice = asked.includes("or") || asked.includes("vs") || asked.includes("versus") || /\/|\b[A-D][).:]/.test(question);
  return !choice;
}

/** All words of the answer of four letters or more (of any length, where it has no such) stand in the text, plurals and the like aside. */
export function mentions(text: string, answer: string): boolean {
  const said = new Set(words(text).map(stem));
  const asked = words(answer);
  const long = asked.filter((word) => word.length >= 4);
  const needed = long.length > 0 ? long : asked;
  return needed.every((word) => said.has(stem(word)) || said.has(numbers[word] ?? "") || [...said].some((other) => word.length >= 6 && other.startsWith(word.slice(0, 5))));
}

const numbers: Readonly<Record<string, string>> = Object.fromEntries(
  ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"].flatMap((word, i) => [[word, String(i)], [String(i), word]]),
);

/** Lower-case words and numbers. */
export function words(text: string): string[] {
  return normaliseText(text).match(/[\p{L}\p{N}]+/gu) ?? [];
}

function stem(word: string): string {
  return word.length > 4 ? word.replace(/(?:es|s)$/, "") : word;
}

function contains(all: readonly string[], part: readonly string[]): boolean {
  for (let at = 0; at + part.length <= all.length; at++) if (part.every((word, i) => all[at + i] === word)) return true;
  return false;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

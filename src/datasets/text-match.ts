import { basename, dirname } from "node:path";

/** For matching between files: lower case, blanks folded, none before punctuation. */
export function normaliseText(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, " ").replace(/\s+([?.,!;:])/g, "$1");
}

/** An image's name without folders; SLAKE's `xmlab12/source.jpg` is `xmlab12_source.jpg` elsewhere. */
export function imageKey(path: string): string {
  const clean = path.replaceAll("\\", "/");
  const name = basename(clean);
  return (/^source\.\w+$/i.test(name) ? `${basename(dirname(clean))}_${name}` : name).toLowerCase();
}

/** Answered by yes or no, so not open-ended. */
export function isYesNo(answer: string): boolean {
  return /^(yes|no)[.!]?$/i.test(answer.trim());
}

/** Reasoning and answer of a text that may have tags: `<think>…</think> <answer>…</answer>`. */
export function splitTags(text: string): { reasoning: string | null; answer: string | null } {
  const think = /<(think|thinking)>([\s\S]*?)(?:<\/\1>|(?=<answer>)|$)/i.exec(text);
  const answer = /<answer>([\s\S]*?)(?:<\/answer>|$)/i.exec(text);
  return { reasoning: think ? think[2].trim() : null, answer: answer ? answer[1].trim() : null };
}

/** The text outside of the answer tag and without think tags. */
export function withoutTags(text: string): string {
  return text.replace(/<answer>[\s\S]*?(?:<\/answer>|$)/gi, "").replace(/<\/?(?:think|thinking)>/gi, "").trim();
}

/**
 * A completion's text → its answer and the steps of its think text.
 *
 * Departures from the reference: text from the first answer tag on never counts, also in a later think block; a
 * missing opening or closing tag does not lose the chain (the prompt may have opened the think tag, the length limit
 * may have cut the text); spans are exact, no sentence is searched for.
 */
import type { Span, Step } from "../types.js";
import { sentenceSpans } from "./sentences.js";

export type ThinkTag = "think" | "thinking";

export interface SegmentOptions {
  /** Name of the think tag; `thinking` for Qwen3-VL, whose `<think>` is a special token. */
  readonly thinkTag?: ThinkTag;
  /** The prompt ends inside an open think tag: the completion starts with think text even if it has no tag at all. */
  readonly opened?: boolean;
}

export interface Segmentation {
  /** Text in the answer tag, trimmed; `null` without an answer tag. A missing closing tag: all that follows. */
  readonly answer: string | null;
  readonly steps: readonly Step[];
  /** The think text: what stands between the tags, tags excluded; one span a block, blank blocks left out. */
  readonly thinkSpans: readonly Span[];
}

/**
 * Tags are read without regard to case. Think text is what lies between an opening and the next think tag of either
 * kind, up to `<answer>` or the end of the text. A closing tag without an opening one closes a block that began at
 * the start of the text. A tag that the end of the text cuts in two ("</thi") is no think text.
 */
export function segment(text: string, { thinkTag = "think", opened = false }: SegmentOptions = {}): Segmentation {
  const answerTag = /<answer>/i.exec(text);
  const thinkEnd = answerTag ? answerTag.index : uncutEnd(text, thinkTag);
  const thinkSpans = thinkBlocks(text.slice(0, thinkEnd), thinkTag, opened);
  const steps = thinkSpans.flatMap((block) =>
    sentenceSpans(text.slice(block.start, block.end)).map(({ start, end }) => ({
      text: text.slice(block.start + start, block.start + end),
      start: block.start + start,
      end: block.start + end,
    })),
  );
  return { answer: answerTag ? answerIn(text, answerTag.index + answerTag[0].length) : null, steps, thinkSpans };
}

function thinkBlocks(text: string, thinkTag: ThinkTag, opened: boolean): Span[] {
  const blocks: Span[] = [];
  const add = (start: number, end: number): void => {
    if (text.slice(start, end).trim() !== "") blocks.push({ start, end });
  };
  /** Where the open block starts; `null` outside of one. */
  let open: number | null = opened ? 0 : null;
  let tags = 0;
  for (const tag of text.matchAll(new RegExp(`<(/?)${thinkTag}>`, "gi"))) {
    const closing = tag[1] === "/";
    if (open !== null) add(open, tag.index);
    else if (closing && tags === 0) add(0, tag.index);
    open = closing ? null : tag.index + tag[0].length;
    tags++;
  }
  if (open !== null) add(open, text.length);
  return blocks;
}

function answerIn(text: string, start: number): string {
  const closing = /<\/answer>/gi;
  closing.lastIndex = start;
  const end = closing.exec(text)?.index ?? uncutEndOf(text, ["</answer>"]);
  return text.slice(start, Math.max(start, end)).trim();
}

function uncutEnd(text: string, thinkTag: ThinkTag): number {
  return uncutEndOf(text, [`<${thinkTag}>`, `</${thinkTag}>`, "<answer>"]);
}

/** The text's length without the beginning of one of the tags that it ends with. */
function uncutEndOf(text: string, tags: readonly string[]): number {
  const at = text.lastIndexOf("<");
  if (at < 0) return text.length;
  const rest = text.slice(at).toLowerCase();
  return tags.some((tag) => tag.startsWith(rest) && tag !== rest) ? at : text.length;
}

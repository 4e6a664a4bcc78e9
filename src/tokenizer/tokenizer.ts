import { existsSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import type { Span } from "../types.js";
import { messageOf, UserError } from "../util/errors.js";
import { readJsonObject } from "../util/json-file.js";
import { decodeUtf8WithSpans, tokenBytes } from "./byte-level.js";

/** The special tokens that prompts and engines of the Qwen-VL family need. */
export const SPECIAL_TOKENS = {
  endOfText: "<|endoftext|>",
  imStart: "<|im_start|>",
  imEnd: "<|im_end|>",
  visionStart: "<|vision_start|>",
  visionEnd: "<|vision_end|>",
  imagePad: "<|image_pad|>",
  videoPad: "<|video_pad|>",
} as const;

/** Text, and for each token the UTF-16 span of it in the text. */
export interface DecodedText {
  readonly text: string;
  readonly offsets: readonly Span[];
}

const NOTHING = new Uint8Array(0);

/**
 * A byte-level BPE tokenizer (Qwen, InternVL3, GPT-2 kind) read from tokenizer.json. Decoding is done here, from the
 * tokens' bytes, so that every token's place in the text is known exactly; it gives what Hugging Face's decoder gives.
 */
export class Tokenizer {
  /** Highest id + 1; a model's embedding may have more rows (padding), never fewer. */
  readonly vocabularySize: number;
  private readonly hub: HubTokenizer;
  /** By id; special tokens have no bytes. */
  private readonly bytes: (Uint8Array | undefined)[] = [];
  private readonly special = new Set<number>();

  /** @param source names the tokenizer in messages. */
  constructor(tokenizerJson: object, tokenizerConfig: object, source = "tokenizer.json") {
    const decoder: unknown = "decoder" in tokenizerJson ? tokenizerJson.decoder : null;
    if (!JSON.stringify(decoder ?? null).includes('"ByteLevel"')) {
      throw new UserError(`${source} is not a byte-level tokenizer (its decoder is ${JSON.stringify(decoder)}). Models with a Qwen, InternVL3 or GPT-2 style tokenizer are supported.`);
    }
    try {
      this.hub = new HubTokenizer(tokenizerJson, tokenizerConfig);
    } catch (error) {
      throw new UserError(`${source} could not be used: ${messageOf(error)}. Copy it again from the model's folder.`);
    }
    const added = this.hub.get_added_tokens_decoder();
    // Where ids have gaps the library's map has an entry that is no text.
    const vocabulary: Iterable<readonly [unknown, number]> = this.hub.get_vocab(true);
    for (const [token, id] of vocabulary) if (typeof token === "string" && !added.has(id)) this.bytes[id] = tokenBytes(token);
    for (const [id, token] of added) {
      this.bytes[id] = token.special ? NOTHING : new TextEncoder().encode(token.content);
      if (token.special) this.special.add(id);
    }
    this.vocabularySize = this.bytes.length;
  }

  /** Reads tokenizer.json and, where there is one, tokenizer_config.json of a model's folder. */
  static fromFolder(dir: string): Tokenizer {
    const path = join(dir, "tokenizer.json");
    const config = join(dir, "tokenizer_config.json");
    const wayOut = "Give a model folder with its own, whole tokenizer.json.";
    return new Tokenizer(readJsonObject(path, wayOut), existsSync(config) ? readJsonObject(config, wayOut) : {}, path);
  }

  /** Special tokens written in the text become their ids; nothing is added around it. */
  encode(text: string): number[] {
    return this.hub.encode(text, { add_special_tokens: false }).ids;
  }

  /** Text of the tokens; special ones and ids outside of the vocabulary give none. */
  decode(ids: readonly number[]): string {
    return this.decodeWithOffsets(ids).text;
  }

  /**
   * The parts of a split character all carry the whole character's span; special tokens and unknown ids have an empty
   * span where the token before them ends. Bytes that are no UTF-8 become U+FFFD.
   */
  decodeWithOffsets(ids: readonly number[]): DecodedText {
    const parts = ids.map((id) => this.bytes[id] ?? NOTHING);
    const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    const { text, spans } = decodeUtf8WithSpans(all);
    let place = 0;
    let end = 0;
    const offsets = parts.map((part): Span => {
      if (part.length === 0) return { start: end, end };
      const start = spans[place].start;
      place += part.length;
      end = spans[place - 1].end;
      return { start, end };
    });
    return { text, offsets };
  }

  /** Id of a token as the vocabulary writes it. @throws UserError where there is none. */
  idOf(token: string): number {
    const id = this.hub.token_to_id(token);
    if (id === undefined) throw new UserError(`The tokenizer has no token "${token}", which this model's prompts need. Use the tokenizer.json that came with the model.`);
    return id;
  }

  hasToken(token: string): boolean {
    return this.hub.token_to_id(token) !== undefined;
  }

  isSpecial(id: number): boolean {
    return this.special.has(id);
  }

  /** Ids that end a completion: <|im_end|> and, where there is one, <|endoftext|>. */
  get stopIds(): number[] {
    return [SPECIAL_TOKENS.imEnd, SPECIAL_TOKENS.endOfText].filter((token) => this.hasToken(token)).map((token) => this.idOf(token));
  }
}

/** Texts → ids of a BERT-family encoder, as bert_score hands them to it: stripped, between [CLS] and [SEP], truncated. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { stripBlanks } from "../../../util/blanks.js";
import { messageOf, UserError } from "../../../util/errors.js";
import { isRecord, readJsonObject, type JsonObject } from "../../../util/json-file.js";

export interface EncodedText {
  readonly ids: readonly number[];
  /** Which tokens take part in BERTScore's means: all but [CLS] and [SEP], wherever they stand. */
  readonly counts: readonly boolean[];
}

const wayOut = "Copy or download the file again.";

export class TextTokens {
  private readonly hub: HubTokenizer;
  private readonly cls: number;
  private readonly sep: number;

  /** @param folder has tokenizer.json, or the vocab.txt of a WordPiece tokenizer. @param longest tokens of a text, ends included. */
  constructor(
    readonly folder: string,
    private readonly longest: number,
  ) {
    const configPath = join(folder, "tokenizer_config.json");
    const config = existsSync(configPath) ? readJsonObject(configPath, wayOut) : {};
    const json = readTokenizer(folder, config);
    try {
      this.hub = new HubTokenizer(json, config);
    } catch (error) {
      throw new UserError(`${folder}: the tokenizer cannot be used (${messageOf(error)}). ${wayOut}`);
    }
    this.cls = this.idOf(["[CLS]", "<s>"]);
    this.sep = this.idOf(["[SEP]", "</s>"]);
    const { model_max_length: limit } = config;
    // Where nothing is said, Hugging Face writes 1e30.
    if (typeof limit === "number" && limit < this.longest) this.longest = limit;
  }

  encode(text: string): EncodedText {
    const { ids: inner } = this.hub.encode(stripBlanks(text), { add_special_tokens: false });
    const ids = [this.cls, ...inner.slice(0, Math.max(0, this.longest - 2)), this.sep];
    return { ids, counts: ids.map((id) => id !== this.cls && id !== this.sep) };
  }

  private idOf(names: readonly string[]): number {
    for (const name of names) {
      const id = this.hub.token_to_id(name);
      if (id !== undefined) return id;
    }
    throw new UserError(`${this.folder}: the vocabulary has none of the tokens ${names.join(", ")}, with which an encoder's texts begin and end`);
  }
}

function readTokenizer(folder: string, config: JsonObject): JsonObject {
  const path = join(folder, "tokenizer.json");
  if (existsSync(path)) return withPrefixSpace(readJsonObject(path, wayOut));
  const vocabulary = join(folder, "vocab.txt");
  if (existsSync(vocabulary)) return wordPiece(vocabulary, config);
  throw new UserError(`${folder} has no tokenizer: neither tokenizer.json nor vocab.txt is there; copy it from the encoder's repository`);
}

/** bert_score encodes RoBERTa's texts as if they stood within a sentence: behind a blank. */
function withPrefixSpace(json: JsonObject): JsonObject {
  const { pre_tokenizer: pre } = json;
  const set = (part: unknown): unknown => (isRecord(part) && part.type === "ByteLevel" ? { ...part, add_prefix_space: true } : part);
  if (!isRecord(pre)) return json;
  const parts = pre.pretokenizers;
  return { ...json, pre_tokenizer: Array.isArray(parts) ? { ...pre, pretokenizers: parts.map(set) } : set(pre) };
}

/** The tokenizer.json that a BERT vocabulary stands for, one token a line. */
function wordPiece(path: string, config: JsonObject): JsonObject {
  const lines = readFileSync(path, "utf8").split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const vocab = Object.fromEntries(lines.map((token, id) => [token, id]));
  const lowercase = config.do_lower_case !== false;
  const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].filter((token) => token in vocab);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: "1.0",
    added_tokens: special.map((content) => ({ id: vocab[content], content, ...flags })),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars !== false,
      strip_accents: config.strip_accents ?? null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: null,
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab },
  };
}

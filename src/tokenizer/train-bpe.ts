import { join } from "node:path";
import { writeFileAtomic } from "../util/atomic-file.js";
import { UserError } from "../util/errors.js";
import { BYTE_ALPHABET, toByteCharacters } from "./byte-level.js";
import { SPECIAL_TOKENS } from "./tokenizer.js";

/**
 * Qwen2's pre-tokenisation: contractions, words with one leading mark, single digits, runs of marks, blanks.
 * As tokenizer.json states it, for Oniguruma-like engines.
 */
const QWEN2_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The same for JavaScript, whose \s differs from Unicode's white space and which lacks (?i:…) on Node 20. */
const WORDS =
  /'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\p{White_Space}\p{L}\p{N}]+[\r\n]*|\p{White_Space}*[\r\n]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

export interface TrainBpeOptions {
  /** Entries in all: 256 bytes, merges, special tokens. Fewer come out when the texts have no more pairs to merge. */
  readonly vocabularySize: number;
  readonly specialTokens?: readonly string[];
  /** A pair seen less often is not merged. */
  readonly minFrequency?: number;
}

export interface TrainedTokenizer {
  /** Contents of tokenizer.json. */
  readonly tokenizer: object;
  /** Contents of tokenizer_config.json. */
  readonly config: object;
  readonly vocabularySize: number;
}

/**
 * Byte-pair encoding in the layout of Qwen2 (NFC, the pattern above, bytes, special tokens after the merges). The most
 * frequent pair is merged first; of equal ones that with the lower ids, as Hugging Face's trainer does.
 */
export function trainBpe(texts: Iterable<string>, options: TrainBpeOptions): TrainedTokenizer {
  const { vocabularySize, specialTokens = Object.values(SPECIAL_TOKENS), minFrequency = 2 } = options;
  const mergesWanted = vocabularySize - BYTE_ALPHABET.length - specialTokens.length;
  if (!Number.isInteger(vocabularySize) || mergesWanted < 0) {
    throw new UserError(`A vocabulary of ${vocabularySize} is too small: 256 bytes and ${specialTokens.length} special tokens take ${256 + specialTokens.length}. Choose a larger one.`);
  }
  const { tokens, merges } = mergePairs(countWords(texts), BYTE_ALPHABET.length + mergesWanted, minFrequency);
  return layout(tokens, merges, specialTokens);
}

/** Writes tokenizer.json and tokenizer_config.json into `dir`. */
export function writeTokenizer(dir: string, trained: TrainedTokenizer): void {
  writeFileAtomic(join(dir, "tokenizer.json"), JSON.stringify(trained.tokenizer, null, 1) + "\n");
  writeFileAtomic(join(dir, "tokenizer_config.json"), JSON.stringify(trained.config, null, 2) + "\n");
}

interface Word {
  symbols: number[];
  readonly count: number;
}

function countWords(texts: Iterable<string>): Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.normalize("NFC").matchAll(WORDS)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const ids = new Map(BYTE_ALPHABET.map((character, id) => [character, id]));
  return [...counts].map(([word, count]) => ({ symbols: Array.from(toByteCharacters(word), (c) => ids.get(c) ?? 0), count }));
}

interface Merges {
  /** By id: the bytes, then what the merges made. */
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
}

/** Merges until there are `size` tokens or no pair is frequent enough. */
function mergePairs(words: readonly Word[], size: number, minFrequency: number): Merges {
  const tokens = [...BYTE_ALPHABET];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: [string, string][] = [];
  const pairs = new PairCounts();
  for (const word of words) pairs.add(word, 1);
  while (tokens.length < size) {
    const best = pairs.mostFrequent(Math.max(minFrequency, 1));
    if (!best) break;
    const [left, right] = best;
    const token = tokens[left] + tokens[right];
    // Two different pairs can spell the same token (a+bc, ab+c): both are merges, the token has one id.
    const made = ids.get(token) ?? tokens.push(token) - 1;
    ids.set(token, made);
    merges.push([tokens[left], tokens[right]]);
    for (const word of pairs.wordsWith(left, right)) {
      pairs.add(word, -1);
      word.symbols = mergeIn(word.symbols, left, right, made);
      pairs.add(word, 1);
    }
  }
  return { tokens, merges };
}

/** How often each pair of neighbours stands in the words, and in which. */
class PairCounts {
  /** A pair's key is left·2²⁶ + right, so keys order as pairs do; vocabularies stay far below 2²⁶. */
  private readonly counts = new Map<number, number>();
  private readonly places = new Map<number, Set<Word>>();

  add(word: Word, sign: 1 | -1): void {
    const { symbols, count } = word;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = symbols[i] * 0x4000000 + symbols[i + 1];
      const now = (this.counts.get(pair) ?? 0) + sign * count;
      if (now === 0) this.counts.delete(pair);
      else this.counts.set(pair, now);
      if (sign < 0) continue;
      const held = this.places.get(pair);
      if (held) held.add(word);
      else this.places.set(pair, new Set([word]));
    }
  }

  mostFrequent(atLeast: number): [left: number, right: number] | null {
    let best = -1;
    let most = atLeast - 1;
    for (const [pair, count] of this.counts) {
      if (count > most || (count === most && best >= 0 && pair < best)) {
        best = pair;
        most = count;
      }
    }
    return best < 0 ? null : [Math.floor(best / 0x4000000), best % 0x4000000];
  }

  /** Takes the pair's words out of the index; some may have lost the pair to an earlier merge. */
  wordsWith(left: number, right: number): Iterable<Word> {
    const pair = left * 0x4000000 + right;
    const words = this.places.get(pair) ?? [];
    this.places.delete(pair);
    return words;
  }
}

function mergeIn(symbols: readonly number[], left: number, right: number, made: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      out.push(made);
      i++;
    } else out.push(symbols[i]);
  }
  return out;
}

function layout(tokens: readonly string[], merges: readonly (readonly [string, string])[], specials: readonly string[]): TrainedTokenizer {
  const vocab: Record<string, number> = {};
  tokens.forEach((token, id) => (vocab[token] = id));
  const added = specials.map((content, i) => ({
    id: tokens.length + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: QWEN2_PATTERN }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges,
    },
  };
  const held = (token: string): string | null => (specials.includes(token) ? token : null);
  const config = {
    tokenizer_class: "Qwen2Tokenizer",
    add_bos_token: false,
    add_prefix_space: false,
    added_tokens_decoder: Object.fromEntries(added.map(({ id, ...rest }) => [String(id), rest])),
    bos_token: null,
    eos_token: held(SPECIAL_TOKENS.imEnd),
    pad_token: held(SPECIAL_TOKENS.endOfText),
    unk_token: null,
    clean_up_tokenization_spaces: false,
    errors: "replace",
    model_max_length: 131072,
    split_special_tokens: false,
  };
  return { tokenizer, config, vocabularySize: tokens.length + specials.length };
}

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../util/errors.js";
import { BYTE_ALPHABET, decodeUtf8WithSpans, toByteCharacters, tokenBytes } from "./byte-level.js";
import { SPECIAL_TOKENS, Tokenizer } from "./tokenizer.js";
import { trainBpe, writeTokenizer } from "./train-bpe.js";

interface Corpus {
  vocabularySize: number;
  corpus: string[];
  texts: string[];
}
interface Expected {
  merges: [string, string][];
  vocabulary: Record<string, number>;
  encoded: number[][];
  decoded: { ids: number[]; text: string }[];
  special: Record<string, number>;
}
const fixtures = join(import.meta.dirname, "../../interop/fixtures/tokenizer");
const { vocabularySize, corpus, texts } = JSON.parse(readFileSync(join(fixtures, "corpus.json"), "utf8")) as Corpus;
const expected = JSON.parse(readFileSync(join(fixtures, "expected.json"), "utf8")) as Expected;
const trained = trainBpe(corpus, { vocabularySize });
// The Python fixtures encode with this folder: UPDATE_FIXTURES=1 writes it anew.
if (process.env.UPDATE_FIXTURES && existsSync(fixtures)) writeTokenizer(join(fixtures, "trained"), trained);
const tokenizer = Tokenizer.fromFolder(join(fixtures, "trained"));

describe("trainBpe", () => {
  it("makes the merges and the vocabulary of Hugging Face's trainer", () => {
    const { model } = trained.tokenizer as { model: { merges: [string, string][]; vocab: Record<string, number> } };
    expect(model.merges).toEqual(expected.merges);
    expect(model.vocab).toEqual(expected.vocabulary);
    expect(trained.vocabularySize).toBe(vocabularySize);
  });

  it("is what the committed folder holds", () => {
    expect(JSON.parse(readFileSync(join(fixtures, "trained/tokenizer.json"), "utf8"))).toEqual(trained.tokenizer);
  });

  it("comes out smaller where there is nothing left to merge, and refuses a vocabulary below the bytes", () => {
    expect(trainBpe(["ab ab"], { vocabularySize: 1000, specialTokens: [] }).vocabularySize).toBe(256 + 1);
    expect(() => trainBpe([], { vocabularySize: 200 })).toThrow(/256 bytes and 7 special tokens take 263/);
  });
});

describe("Tokenizer", () => {
  it.each(texts.map((text, i) => [JSON.stringify(text), i] as const))("encodes %s as Hugging Face does", (_, i) => {
    expect(tokenizer.encode(texts[i])).toEqual(expected.encoded[i]);
  });

  it("decodes as Hugging Face does, broken UTF-8 too", () => {
    expect(expected.decoded.some(({ text }) => text.includes("\ufffd"))).toBe(true);
    for (const { ids, text } of expected.decoded) expect(tokenizer.decode(ids)).toBe(text);
  });

  it("knows the special tokens", () => {
    for (const [token, id] of Object.entries(expected.special)) expect(tokenizer.idOf(token)).toBe(id);
    expect(tokenizer.isSpecial(tokenizer.idOf(SPECIAL_TOKENS.imEnd))).toBe(true);
    expect(tokenizer.stopIds).toEqual([tokenizer.idOf("<|im_end|>"), tokenizer.idOf("<|endoftext|>")]);
    expect(tokenizer.vocabularySize).toBe(vocabularySize);
    expect(() => tokenizer.idOf("<|nothing|>")).toThrow(UserError);
  });

  it("gives every token its characters; the text comes back whole", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (raw) => {
        const text = raw.normalize("NFC");
        if (text.includes("<|")) return;
        const ids = tokenizer.encode(text);
        const decoded = tokenizer.decodeWithOffsets(ids);
        expect(decoded.text).toBe(text);
        expect(decoded.offsets).toHaveLength(ids.length);
        let covered = 0;
        for (const { start, end } of decoded.offsets) {
          // Neighbours touch, or overlap by the one character that they share.
          expect(start).toBeLessThanOrEqual(covered);
          expect(end).toBeGreaterThanOrEqual(covered);
          expect(end).toBeGreaterThan(start);
          covered = end;
        }
        expect(covered).toBe(text.length);
      }),
    );
  });

  it("gives the parts of a split character that character's span, and special tokens an empty one", () => {
    const bytes = [..."🩻"].flatMap((c) => Array.from(toByteCharacters(c), (b) => tokenizer.idOf(b)));
    expect(bytes).toHaveLength(4);
    const [pad, end] = [tokenizer.idOf("<|image_pad|>"), tokenizer.idOf("<|im_end|>")];
    const { text, offsets } = tokenizer.decodeWithOffsets([pad, tokenizer.idOf("a"), ...bytes.slice(0, 2), pad, ...bytes.slice(2), end, 99999, -1]);
    expect(text).toBe("a🩻");
    expect(offsets.map(({ start, end: e }) => [start, e])).toEqual([[0, 0], [0, 1], [1, 3], [1, 3], [3, 3], [1, 3], [1, 3], [3, 3], [3, 3], [3, 3]]);
    expect(tokenizer.decodeWithOffsets(bytes.slice(0, 3))).toEqual({ text: "\ufffd", offsets: Array(3).fill({ start: 0, end: 1 }) });
    expect(tokenizer.decodeWithOffsets([])).toEqual({ text: "", offsets: [] });
  });

  it("names what is wrong with a file", () => {
    const dir = mkdtempSync(join(tmpdir(), "bw-tok-"));
    try {
      expect(() => Tokenizer.fromFolder(dir)).toThrow(/Cannot read .*tokenizer\.json/);
      writeFileSync(join(dir, "tokenizer.json"), "{");
      expect(() => Tokenizer.fromFolder(dir)).toThrow(/not valid JSON/);
      writeFileSync(join(dir, "tokenizer.json"), JSON.stringify({ decoder: { type: "WordPiece" } }));
      expect(() => Tokenizer.fromFolder(dir)).toThrow(/not a byte-level tokenizer/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe("byte level", () => {
  it("has 256 characters, each its own byte", () => {
    expect(new Set(BYTE_ALPHABET).size).toBe(256);
    expect(BYTE_ALPHABET[0]).toBe("!");
    for (const c of BYTE_ALPHABET) expect(tokenBytes(c)).toHaveLength(1);
    expect(toByteCharacters(" é\n")).toBe("ĠÃ©Ċ");
  });

  it("decodes any bytes as the platform's decoder does", () => {
    const platform = new TextDecoder("utf-8", { ignoreBOM: true });
    const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0xe0, 0xed, 0xf0, 0xf4, 0x80, 0x8f, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 24 }), (list) => {
        const bytes = Uint8Array.from(list);
        const { text, spans } = decodeUtf8WithSpans(bytes);
        expect(text).toBe(platform.decode(bytes));
        expect(spans).toHaveLength(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});

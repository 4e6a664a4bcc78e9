import type { Span } from "../types.js";

/**
 * Byte-level BPE writes each byte as one visible character (GPT-2's table): bytes that are printable stand for
 * themselves, the 68 others take U+0100 and up in their order.
 */
const byteToCharacter: readonly string[] = (() => {
  const table: string[] = [];
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    table.push(String.fromCharCode(printable ? byte : next++));
  }
  return table;
})();

const characterToByte: ReadonlyMap<string, number> = new Map(byteToCharacter.map((character, byte) => [character, byte]));

/** The 256 characters in the order in which Qwen2's vocabulary numbers them: by code point. */
export const BYTE_ALPHABET: readonly string[] = [...byteToCharacter].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0));

const utf8 = new TextEncoder();

/** Text → its UTF-8 bytes, each as its visible character. */
export function toByteCharacters(text: string): string {
  let out = "";
  for (const byte of utf8.encode(text)) out += byteToCharacter[byte];
  return out;
}

/** Bytes of a vocabulary entry; one with a character outside of the table stands for its own UTF-8. */
export function tokenBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = characterToByte.get(token[i]);
    if (byte === undefined) return utf8.encode(token);
    bytes[i] = byte;
  }
  return bytes;
}

/**
 * UTF-8 → text, and for every byte the UTF-16 span of the character that it is part of. Invalid bytes become U+FFFD by
 * maximal subparts (WHATWG, Unicode 3.9), as Rust and browsers decode; the bytes of one replacement share its span.
 */
export function decodeUtf8WithSpans(bytes: Uint8Array): { text: string; spans: Span[] } {
  let text = "";
  const spans: Span[] = [];
  for (let i = 0; i < bytes.length; ) {
    const { length, codePoint } = nextCharacter(bytes, i);
    const start = text.length;
    text += String.fromCodePoint(codePoint);
    const span = { start, end: text.length };
    for (let k = 0; k < length; k++) spans.push(span);
    i += length;
  }
  return { text, spans };
}

function nextCharacter(bytes: Uint8Array, at: number): { length: number; codePoint: number } {
  const first = bytes[at];
  if (first < 0x80) return { length: 1, codePoint: first };
  const size = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) === 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (size === 0) return { length: 1, codePoint: 0xfffd };
  let codePoint = first & (0x7f >> size);
  for (let k = 1; k < size; k++) {
    // Only the second byte has narrower bounds: they keep out overlong forms, surrogates and what lies above U+10FFFF.
    const low = k > 1 ? 0x80 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const high = k > 1 ? 0xbf : first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    const byte = at + k < bytes.length ? bytes[at + k] : 0;
    if (byte < low || byte > high) return { length: k, codePoint: 0xfffd };
    codePoint = (codePoint << 6) | (byte & 0x3f);
  }
  return { length: size, codePoint };
}

/**
 * Reads the JSON that language models write: in code fences or prose, with trailing commas, comments, single quotes,
 * bare keys, or Python's True, False and None. Departs from JSON.parse in one more way: a key that stands twice in an
 * object with different values is an error, because which of them was meant cannot be known.
 */

export type JsonFound = { readonly value: unknown } | { readonly error: string };

/** All complete objects and arrays that stand in a text outside each other, in order; empty where there is none. */
export function findJson(text: string): JsonFound[] {
  const found: JsonFound[] = [];
  // The reasoning of models that show it is no part of the answer.
  const source = text.replace(/<think(?:ing)?>[\s\S]*?<\/think(?:ing)?>/gi, " ");
  for (let at = 0; at < source.length; ) {
    const open = source.slice(at).search(/[{[]/);
    if (open < 0) break;
    at += open;
    const reader = new Reader(source, at);
    try {
      const value = reader.value();
      found.push({ value });
      at = reader.at;
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      // A bracket in prose is passed over; a contradiction, or an end of the text inside the JSON, is told.
      if (error.telling) found.push({ error: error.message });
      at = error.telling ? Math.max(reader.at, at + 1) : at + 1;
    }
  }
  return found;
}

class JsonError extends Error {
  constructor(
    message: string,
    /** It is JSON, but broken; otherwise it is most likely prose. */
    readonly telling: boolean,
  ) {
    super(message);
  }
}

/** Deeper than any reply that is asked for. */
const MAX_DEPTH = 32;
const INCOMPLETE = "the JSON ends before it is complete";

class Reader {
  private depth = 0;

  constructor(
    private readonly text: string,
    public at: number,
  ) {}

  value(): unknown {
    this.blanks();
    const c = this.text[this.at];
    if (c === undefined) throw new JsonError(INCOMPLETE, true);
    if (c === "{" || c === "[") {
      if (++this.depth > MAX_DEPTH) throw new JsonError("the JSON is nested too deeply", false);
      const value = c === "{" ? this.object() : this.array();
      this.depth--;
      return value;
    }
    if (c === '"' || c === "'") return this.string(c);
    return this.word();
  }

  private object(): Record<string, unknown> {
    const out = new Map<string, unknown>();
    this.at++;
    for (;;) {
      this.blanks();
      if (this.take("}")) return Object.fromEntries(out);
      const c = this.text[this.at];
      if (c === undefined) throw new JsonError(INCOMPLETE, true);
      const key = c === '"' || c === "'" ? this.string(c) : this.bareKey();
      this.blanks();
      if (!this.take(":")) this.unexpected();
      const value = this.value();
      if (out.has(key) && JSON.stringify(out.get(key)) !== JSON.stringify(value)) {
        throw new JsonError(`"${key}" stands twice with different values`, true);
      }
      out.set(key, value);
      this.blanks();
      if (!this.take(",") && this.text[this.at] !== "}") this.unexpected();
    }
  }

  private array(): unknown[] {
    const out: unknown[] = [];
    this.at++;
    for (;;) {
      this.blanks();
      if (this.take("]")) return out;
      out.push(this.value());
      this.blanks();
      if (!this.take(",") && this.text[this.at] !== "]") this.unexpected();
    }
  }

  private string(quote: string): string {
    let out = "";
    for (this.at++; this.at < this.text.length; this.at++) {
      const c = this.text[this.at];
      if (c === quote) {
        this.at++;
        return out;
      }
      out += c === "\\" ? this.escape() : c;
    }
    throw new JsonError(INCOMPLETE, true);
  }

  private escape(): string {
    const c = this.text[++this.at] ?? "";
    const simple: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f" };
    if (c !== "u") return simple[c] ?? c;
    const hex = this.text.slice(this.at + 1, this.at + 5);
    if (!/^[\da-f]{4}$/i.test(hex)) throw new JsonError("a broken \\u escape", false);
    this.at += 4;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  private bareKey(): string {
    const [key] = /^[\w.$-]+/.exec(this.text.slice(this.at, this.at + 64)) ?? this.unexpected();
    this.at += key.length;
    return key;
  }

  private word(): unknown {
    const [word] = /^[\w.+-]+/.exec(this.text.slice(this.at, this.at + 64)) ?? this.unexpected();
    const known = words.get(word);
    const number = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(word) ? Number(word) : undefined;
    if (number === undefined && known === undefined) this.unexpected();
    this.at += word.length;
    return number ?? known;
  }

  private blanks(): void {
    blank.lastIndex = this.at;
    this.at += blank.exec(this.text)?.[0].length ?? 0;
  }

  private take(c: string): boolean {
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }

  private unexpected(): never {
    const end = this.at >= this.text.length;
    throw new JsonError(end ? INCOMPLETE : `no JSON at "${this.text.slice(this.at, this.at + 12)}"`, end);
  }
}

const blank = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const words = new Map<string, unknown>([["true", true], ["false", false], ["null", null], ["True", true], ["False", false], ["None", null]]);

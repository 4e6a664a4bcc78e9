/** Texts as the reference's Python makes them, so that keys and files come out the same. */

/** Python's blanks: str.split() and \s take these, which are not quite JavaScript's. */
const blank = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const blanks = new RegExp(`${blank}+`, "g");
const edges = new RegExp(`^${blank}+|${blank}+$`, "g");

/** str(value) of what json.load gives. A whole float (`4.0`) cannot be told from an integer here and reads `4`. */
export function pyStr(value: unknown): string {
  return typeof value === "string" ? value : pyRepr(value);
}

function pyRepr(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "string") {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    return quote + value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\t", "\\t").replaceAll("\r", "\\r").replaceAll(quote, `\\${quote}`) + quote;
  }
  if (Array.isArray(value)) return `[${value.map(pyRepr).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([key, inner]) => `${pyRepr(key)}: ${pyRepr(inner)}`).join(", ")}}`;
  return String(value);
}

/** `bool(value)` */
export function pyTruthy(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

export function pyStrip(text: string): string {
  return text.replace(edges, "");
}

/** Blanks folded, ends stripped, lower case. */
export function foldText(value: unknown): string {
  return pyStrip(pyStr(value)).replace(blanks, " ").toLowerCase();
}

/** The same with no blank before punctuation. */
export function matchText(value: unknown): string {
  return foldText(value).replace(/ *([?.,!;:])/g, "$1");
}

export function isYesNoAnswer(value: unknown): boolean {
  return /^(?:yes|no)$/.test(pyStrip(pyStr(value)).toLowerCase());
}

/** json.dumps(value, ensure_ascii=False, indent=2) */
export function pyJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

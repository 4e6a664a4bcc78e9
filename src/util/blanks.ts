/** Blanks as Python's str.strip and str.split see them: Unicode's and the separators 0x1c–0x1f, not the byte order mark. */
const blank = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const run = new RegExp(`${blank}+`);
const ends = new RegExp(`^${blank}+|${blank}+$`, "g");

/** `text.strip()` */
export function stripBlanks(text: string): string {
  return text.replace(ends, "");
}

/** `text.split()` */
export function splitAtBlanks(text: string): string[] {
  return text.split(run).filter(Boolean);
}

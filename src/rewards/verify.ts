/** Equality of two short answers: exact after normalisation, numbers by value. */

/**
 * Compatibility forms folded (NFKC), lower case, tags out, quotes and dashes made plain, blanks folded, blanks before
 * punctuation dropped, punctuation around the whole answer dropped, a leading article dropped.
 */
export function normaliseAnswer(text: string): string {
  const folded = text
    .replace(/<[^>]+>/g, " ")
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[‘’‛′]/g, "'")
    .replace(/[“”‟″]/g, '"')
    .replace(/[‐‑‒–—―−]/g, "-")
    .replace(/\s+([.,;:!?])/g, "$1")
    .replace(/\s+/g, " ")
    .trim();
  const stripped = folded.replace(/^[\s"'`([{*_.,;:!?]+(?=.)/, (lead) => (/[.]$/.test(lead) && /^\d/.test(folded.slice(lead.length)) ? "." : ""))
    .replace(/[\s"'`)\]}*_.,;:!?]+$/, "");
  return stripped.replace(/^(?:the|an|a) (?=\S)/, "");
}

/**
 * Whether the answer is the gold one. Numbers count by value wherever they stand: "4" = "four" = "4.0",
 * "twenty-one lesions" = "21 lesions", "1,000" = "1000", "50 %" = "50 percent", "1/2" = "0.5", "3.5cm" = "3.5 cm".
 * Two answers that are empty after normalisation are not equal: nothing verifies nothing.
 */
export function answersEqual(answer: string, gold: string): boolean {
  const a = normaliseAnswer(answer);
  const b = normaliseAnswer(gold);
  if (a === "" || b === "") return false;
  return a === b || canonicalNumbers(a) === canonicalNumbers(b);
}

const units: readonly string[] =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(" ");
const tens: readonly string[] = "- - twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const scales: ReadonlyMap<string, number> = new Map([
  ["hundred", 100],
  ["thousand", 1e3],
  ["million", 1e6],
]);

/** Every number, in digits or words, in one form; everything else as it stands, tokens separated by one blank. */
function canonicalNumbers(normalised: string): string {
  const tokens = normalised
    .replace(/(\d),(?=\d{3}(?!\d))/g, "$1")
    .replace(/\bper ?cent\b/g, "%")
    .replace(/%/g, " % ")
    .replace(/(\d)([a-z])/g, "$1 $2")
    .split(" ")
    .filter(Boolean);
  const out: string[] = [];
  for (let i = 0; i < tokens.length; ) {
    const spelled = spelledNumber(tokens, i);
    if (spelled) {
      out.push(String(spelled.value));
      i = spelled.next;
    } else {
      out.push(digits(tokens[i]) ?? tokens[i]);
      i++;
    }
  }
  return out.join(" ");
}

function digits(token: string): string | null {
  const fraction = /^([+-]?\d+)\/(\d+)$/.exec(token);
  if (fraction && Number(fraction[2]) !== 0) return String(Number(fraction[1]) / Number(fraction[2]));
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(token)) return null;
  const value = Number(token);
  return Number.isFinite(value) ? String(value === 0 ? 0 : value) : null;
}

/** A number in words from token `start`: "twenty-one", "one hundred and five", "two thousand". */
function spelledNumber(tokens: readonly string[], start: number): { value: number; next: number } | null {
  let total = 0;
  let current = 0;
  let found = false;
  let next = start;
  /** What a following word may still add below: after "twenty" a unit, after a unit only a scale. */
  let room = Infinity;
  for (let i = start; i < tokens.length; i++) {
    if (tokens[i] === "and" && found && room > 99 && smallNumber(tokens[i + 1] ?? "") !== null) continue;
    const small = smallNumber(tokens[i]);
    const scale = scales.get(tokens[i]);
    if (small !== null && small.value < room) {
      current += small.value;
      room = small.room;
    } else if (scale !== undefined && found) {
      if (scale === 100) current *= 100;
      else {
        total += current * scale;
        current = 0;
      }
      room = scale;
    } else break;
    found = true;
    next = i + 1;
  }
  return found ? { value: total + current, next } : null;
}

function smallNumber(word: string): { value: number; room: number } | null {
  const unit = units.indexOf(word);
  if (unit >= 0) return { value: unit, room: 0 };
  const [first, second] = word.split("-");
  const ten = tens.indexOf(first, 2);
  if (ten < 0) return null;
  if (second === undefined) return { value: 10 * ten, room: 10 };
  const rest = units.indexOf(second);
  return rest > 0 && rest < 10 ? { value: 10 * ten + rest, room: 0 } : null;
}

/**
 * Porter's stemmer (An algorithm for suffix stripping, 1980) as NLTK's PorterStemmer runs it by default, which is what
 * Google's rouge_score stems with. NLTK departs from the paper in the irregular forms, in "ies"/"ied" of four-letter
 * words, in y → i only behind a consonant, and in the rules for "alli", "bli", "fulli" and "logi".
 */

type Condition = (stem: string, word: string) => boolean;
interface Rule {
  readonly suffix: string;
  readonly replacement: string;
  /** Asked of the stem without the suffix; a rule that matches but fails it ends the step. */
  readonly when?: Condition;
}

const irregular: ReadonlyMap<string, string> = new Map(
  Object.entries({
    sky: ["sky", "skies"],
    die: ["dying"],
    lie: ["lying"],
    tie: ["tying"],
    news: ["news"],
    inning: ["innings", "inning"],
    outing: ["outings", "outing"],
    canning: ["cannings", "canning"],
    howe: ["howe"],
    proceed: ["proceed"],
    exceed: ["exceed"],
    succeed: ["succeed"],
  }).flatMap(([stem, forms]) => forms.map((form): [string, string] => [form, stem])),
);

/** `word` is lower-cased first. */
export function porterStem(word: string): string {
  const lower = word.toLowerCase();
  const known = irregular.get(lower);
  if (known !== undefined) return known;
  if (lower.length <= 2) return lower;
  let stem = plural(lower);
  stem = pastAndGerund(stem);
  stem = finalY(stem);
  stem = derivational(stem);
  stem = apply(stem, step3);
  stem = apply(stem, step4);
  stem = finalE(stem);
  return apply(stem, [{ suffix: "ll", replacement: "l", when: (_, whole) => measure(whole.slice(0, -1)) > 1 }]);
}

/** `true` at consonants; y is one at the start and behind a vowel. */
function consonants(word: string): boolean[] {
  const flags: boolean[] = [];
  for (let i = 0; i < word.length; i++) {
    const letter = word[i];
    flags.push(letter === "y" ? i === 0 || !flags[i - 1] : !"aeiou".includes(letter));
  }
  return flags;
}

/** m in [C](VC)^m[V]: how often a consonant follows a vowel. */
function measure(stem: string): number {
  const flags = consonants(stem);
  return flags.filter((consonant, i) => consonant && i > 0 && !flags[i - 1]).length;
}

const hasVowel = (stem: string): boolean => consonants(stem).includes(false);
const positive: Condition = (stem) => measure(stem) > 0;
const long: Condition = (stem) => measure(stem) > 1;

function endsDouble(word: string): boolean {
  return word.length >= 2 && word.at(-1) === word.at(-2) && consonants(word).at(-1) === true;
}

/** Ends consonant, vowel, consonant other than w, x, y; or (NLTK) is a vowel and a consonant. */
function endsShort(word: string): boolean {
  const flags = consonants(word);
  if (word.length === 2) return !flags[0] && flags[1];
  const [a, b, c] = flags.slice(-3);
  return word.length >= 3 && a && !b && c && !"wxy".includes(word[word.length - 1]);
}

function apply(word: string, rules: readonly Rule[]): string {
  for (const { suffix, replacement, when } of rules) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.slice(0, word.length - suffix.length);
    return when === undefined || when(stem, word) ? stem + replacement : word;
  }
  return word;
}

function plural(word: string): string {
  if (word.length === 4 && word.endsWith("ies")) return word.slice(0, -1);
  return apply(word, [
    { suffix: "sses", replacement: "ss" },
    { suffix: "ies", replacement: "i" },
    { suffix: "ss", replacement: "ss" },
    { suffix: "s", replacement: "" },
  ]);
}

function pastAndGerund(word: string): string {
  if (word.endsWith("ied")) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith("eed")) return apply(word, [{ suffix: "eed", replacement: "ee", when: positive }]);
  const suffix = ["ed", "ing"].find((ending) => word.endsWith(ending) && hasVowel(word.slice(0, -ending.length)));
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  if (/(?:at|bl|iz)$/.test(stem)) return `${stem}e`;
  if (endsDouble(stem)) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && endsShort(stem) ? `${stem}e` : stem;
}

function finalY(word: string): string {
  return apply(word, [
    { suffix: "y", replacement: "i", when: (stem) => stem.length > 1 && consonants(stem).at(-1) === true },
  ]);
}

function derivational(word: string): string {
  if (word.endsWith("alli") && measure(word.slice(0, -4)) > 0) return derivational(word.slice(0, -2));
  return apply(word, step2);
}

function finalE(word: string): string {
  if (!word.endsWith("e")) return word;
  const stem = word.slice(0, -1);
  const m = measure(stem);
  return m > 1 || (m === 1 && !endsShort(stem)) ? stem : word;
}

/** "from>to" pairs under one condition. */
function rules(pairs: string, when: Condition): Rule[] {
  return pairs
    .trim()
    .split(/\s+/)
    .map((pair) => {
      const [suffix, replacement] = pair.split(">");
      return { suffix, replacement, when };
    });
}

const step2: readonly Rule[] = [
  ...rules(
    `ational>ate tional>tion enci>ence anci>ance izer>ize bli>ble alli>al entli>ent eli>e ousli>ous ization>ize
     ation>ate ator>ate alism>al iveness>ive fulness>ful ousness>ous aliti>al iviti>ive biliti>ble fulli>ful`,
    positive,
  ),
  // The l of "logi" counts with the stem, so that "geo" and "theo" behave as "archaeo".
  { suffix: "logi", replacement: "log", when: (stem) => measure(`${stem}l`) > 0 },
];

const step3 = rules("icate>ic ative> alize>al iciti>ic ical>ic ful> ness>", positive);

const step4: readonly Rule[] = [
  ...rules("al> ance> ence> er> ic> able> ible> ant> ement> ment> ent>", long),
  { suffix: "ion", replacement: "", when: (stem, word) => long(stem, word) && /[st]$/.test(stem) },
  ...rules("ou> ism> ate> iti> ous> ive> ize>", long),
];

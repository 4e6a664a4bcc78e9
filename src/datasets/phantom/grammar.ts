import { conclusionTemplates, pluralOf, stepSpecs } from "./chain.js";
import { counts, densities, densityTerms, kinds, modalities, organs, regions, sides, slots, zones, type Facts, type Slot } from "./facts.js";

/** What one sentence states, or why it states nothing that could be judged. */
export type Reading =
  | { readonly status: "stated"; readonly facts: Partial<Facts>; readonly concludes: boolean; readonly words: readonly string[] }
  | { readonly status: "empty"; readonly why: string; readonly words: readonly string[] };

interface Entry {
  /** Word class that stands for the word in the grammar. */
  readonly token: string;
  readonly facts: Partial<Facts>;
}

/** Largest share of neighbouring word pairs that no template holds: a splice of two paraphrases passes, a shuffle does not. */
const maxUnseenPairs = 1 / 3;
const maxWords = 30;
/** Talk about the talking, not about the picture. */
const metaWords = new Set(["i", "we", "me", "my", "us", "our", "let", "let's", "you", "question", "answer", "think", "reasoning", "step"]);
/** The closed vocabulary has no negation; with one, the words no longer state their facts. */
const negations = new Set(["no", "not", "without", "never", "neither", "nor", "none", "cannot", "isn't", "aren't", "absent"]);
const markers = new Set(["so", "therefore", "thus", "hence", "overall", "consequently"]);

let cache: { readonly lexicon: ReadonlyMap<string, Entry>; readonly pairs: ReadonlySet<string> } | undefined;

function grammar(): NonNullable<typeof cache> {
  cache ??= { lexicon: buildLexicon(), pairs: buildPairs() };
  return cache;
}

function buildLexicon(): Map<string, Entry> {
  const lexicon = new Map<string, Entry>();
  const add = (word: string, token: string, facts: Partial<Facts> = {}): void => void lexicon.set(word, { token, facts });
  for (const modality of modalities) {
    add(modality.toLowerCase(), "<mod>", { modality });
    for (const density of densities) add(densityTerms[modality][density], "<term>", { modality, density });
  }
  add("radiograph", "<mod>", { modality: "X-ray" });
  add("xray", "<mod>", { modality: "X-ray" });
  for (const region of regions) add(region, "<region>", { region });
  for (const side of sides) add(side, "<side>", { side });
  for (const zone of zones) add(zone, "<zone>", { zone });
  for (const organ of organs) add(organ, "<organ>", { organ });
  for (const kind of kinds) {
    add(kind, "<kind>", { kind });
    add(pluralOf(kind), "<kind>", { kind });
  }
  for (const [i, count] of counts.entries()) {
    add(count, "<count>", { count });
    add(String(i + 1), "<count>", { count });
  }
  for (const [word, size] of [["larger", "larger"], ["bigger", "larger"], ["smaller", "smaller"]] as const) add(word, "<size>", { size });
  for (const [word, density] of [["brighter", "bright"], ["darker", "dark"]] as const) add(word, "<term>", { density });
  for (const word of ["a", "an"]) add(word, "<a>");
  for (const word of ["is", "are"]) add(word, "<be>");
  for (const word of ["lie", "lies"]) add(word, "<lie>");
  for (const word of ["look", "looks"]) add(word, "<look>");
  for (const word of ["lesion", "lesions"]) add(word, "<lesion>");
  return lexicon;
}

const blankTokens: Readonly<Record<string, string>> = {
  mod: "<mod>", "a-mod": "<a> <mod>", region: "<region>", "a-region": "<a> <region>", side: "<side>", zone: "<zone>", organ: "<organ>", "a-organ": "<a> <organ>",
  kind: "<kind>", kinds: "<kind>", lesions: "<lesion>", count: "<count>", size: "<size>", term: "<term>", be: "<be>", lie: "<lie>",
  look: "<look>",
};

/** Neighbouring word classes of all templates, sentence borders included. */
function buildPairs(): Set<string> {
  const lexicon = buildLexicon();
  const pairs = new Set<string>();
  for (const template of [...stepSpecs.flatMap((spec) => spec.templates), ...Object.values(conclusionTemplates).flat()]) {
    const abstract = template.replace(/\{([a-z-]+)\}/g, (_, name: string) => blankTokens[name]);
    const tokens = (abstract.match(/<[a-z]+>|[A-Za-z]+(?:[-'][A-Za-z]+)*/g) ?? []).map((word) => {
      const lower = word.toLowerCase();
      return lexicon.get(lower)?.token ?? lower;
    });
    for (const pair of pairsOf(tokens)) pairs.add(pair);
  }
  return pairs;
}

function pairsOf(tokens: readonly string[]): string[] {
  const bordered = ["^", ...tokens, "$"];
  return bordered.slice(1).map((token, i) => `${bordered[i]} ${token}`);
}

/** Lower-cased words, hyphenated ones whole; what is neither letter nor digit separates. */
export function wordsOf(sentence: string): string[] {
  return sentence.toLowerCase().match(/[\p{L}]+(?:[-'’][\p{L}]+)*|\d+/gu) ?? [];
}

/** Any text is answered: what cannot be read as a sentence of this task states nothing. */
export function readSentence(sentence: string): Reading {
  const words = wordsOf(sentence);
  const empty = (why: string): Reading => ({ status: "empty", why, words });
  if (words.length === 0) return empty("no words");
  if (words.length > maxWords) return empty(`runs on for ${words.length} words`);
  const meta = words.find((word) => metaWords.has(word));
  if (meta !== undefined) return empty(`comments on itself (“${meta}”)`);
  const negation = words.find((word) => negations.has(word));
  if (negation !== undefined) return empty(`negates (“${negation}”)`);
  const { lexicon, pairs } = grammar();
  const tokens = words.map((word) => lexicon.get(word)?.token ?? word);
  const own = pairsOf(tokens);
  const unseen = own.filter((pair) => !pairs.has(pair)).length;
  if (unseen > maxUnseenPairs * own.length) return empty("not a sentence that this task can read");
  if (words.some((word, i) => i > 0 && word === words[i - 1])) return empty("stutters");
  const facts: { -readonly [S in Slot]?: string } = {};
  for (const word of words) {
    const stated = lexicon.get(word)?.facts ?? {};
    for (const slot of slots) {
      const value = stated[slot];
      if (value === undefined) continue;
      if (facts[slot] !== undefined && facts[slot] !== value) return empty(`contradicts itself (${facts[slot]} and ${value})`);
      facts[slot] = value;
    }
  }
  const read = facts as Partial<Facts>;
  if (Object.keys(read).length === 0) return empty("states no fact");
  return { status: "stated", facts: read, concludes: markers.has(words[0]), words };
}

import { normaliseText } from "../text-match.js";
import { fingerprint, nearDuplicates, NEAR_BITS, NEAR_GREY, type Fingerprint, type ImageLoader } from "./fingerprint.js";
import { finding, type CheckName, type Finding, type Severity } from "./findings.js";
import { readAnyRows, type DataRow } from "./rows.js";
import { checkTexts } from "./text-checks.js";

export interface CheckOptions {
  /** Another data set, whose questions and images should not be in this one. */
  readonly against?: string;
  readonly load: ImageLoader;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface CheckReport {
  readonly rows: number;
  readonly images: number;
  /** Rows by part. */
  readonly parts: Readonly<Record<string, number>>;
  /** How alike near duplicates are: bits of 256, and mean grey levels of 255. */
  readonly threshold: { readonly bits: number; readonly grey: number };
  readonly counts: Readonly<Record<Severity, number>>;
  readonly findings: readonly Finding[];
}

/** Images decoded at a time. */
const width = 4;

/** Everything that is wrong with a data set, or may be. @throws UserError where it cannot be read at all. */
export async function checkDataset(path: string, options: CheckOptions): Promise<CheckReport> {
  const findings: Finding[] = [];
  const rows: DataRow[] = [];
  const read = async (dataset: string, against: boolean): Promise<void> => {
    for await (const row of readAnyRows(dataset)) {
      if ("error" in row) {
        if (!against) findings.push(finding("unreadable row", [row.place], row.error));
      } else rows.push(against ? { ...row, part: `against ${row.part}`, place: `${row.place} (against)` } : row);
    }
  };
  await read(path, false);
  if (options.against !== undefined) await read(options.against, true);
  const own = rows.filter(({ part }) => !part.startsWith("against "));
  findings.push(...duplicateIds(own), ...own.flatMap(checkTexts));
  const prints = await readImages(rows, options, findings);
  findings.push(...duplicateImages(rows, prints), ...duplicateQuestions(rows, prints));
  const counts: Record<Severity, number> = { error: 0, warning: 0, note: 0 };
  for (const { severity } of findings) counts[severity]++;
  const parts: Record<string, number> = {};
  for (const { part } of rows) parts[part] = (parts[part] ?? 0) + 1;
  return { rows: rows.length, images: prints.size, parts, threshold: { bits: NEAR_BITS, grey: NEAR_GREY }, counts, findings };
}

function duplicateIds(rows: readonly DataRow[]): Finding[] {
  const seen = new Map<string, DataRow>();
  return rows.flatMap((row) => {
    const key = `${row.file}\n${row.id}`;
    const before = seen.get(key);
    if (before === undefined) seen.set(key, row);
    return before === undefined ? [] : [finding("duplicate id", [before.place, row.place], `both have the id ${JSON.stringify(row.id)}`)];
  });
}

/** Fingerprints of the images that can be read; the others become findings. */
async function readImages(rows: readonly DataRow[], { load, onProgress, signal }: CheckOptions, findings: Finding[]): Promise<Map<string, Fingerprint>> {
  const users = new Map<string, DataRow[]>();
  const missing = new Map<string, DataRow[]>();
  for (const row of rows) {
    if (row.image === null) continue;
    const [map, key] = row.image.path === null ? [missing, row.image.name] : [users, row.image.path];
    const list = map.get(key);
    if (list) list.push(row);
    else map.set(key, [row]);
  }
  for (const [name, list] of missing) findings.push(finding("missing image", placesOf(list), `there is no ${name}`));
  const prints = new Map<string, Fingerprint>();
  const entries = [...users];
  let done = 0;
  for (let from = 0; from < entries.length; from += width) {
    signal?.throwIfAborted();
    const batch = entries.slice(from, from + width);
    const results = await Promise.all(batch.map(([path]) => fingerprint(path, load)));
    results.forEach((result, i) => {
      const [path, list] = batch[i];
      onProgress?.(++done, entries.length);
      if ("error" in result) findings.push(finding("unreadable image", placesOf(list), result.error));
      else {
        prints.set(path, result);
        if (result.blank) findings.push(finding("blank image", placesOf(list), `${list[0].image?.name ?? path} has one colour only`));
      }
    });
  }
  return prints;
}

function duplicateImages(rows: readonly DataRow[], prints: ReadonlyMap<string, Fingerprint>): Finding[] {
  const found: Finding[] = [];
  const users = new Map<string, DataRow[]>();
  for (const row of rows) if (row.image?.path) users.set(row.image.path, [...(users.get(row.image.path) ?? []), row]);
  const byBytes = new Map<string, string[]>();
  for (const [path, { bytes }] of prints) byBytes.set(bytes, [...(byBytes.get(bytes) ?? []), path]);
  for (const paths of byBytes.values()) {
    const all = paths.flatMap((path) => users.get(path) ?? []);
    const firsts = firstOfParts(all);
    const name = all[0].image?.name ?? paths[0];
    if (firsts.length > 1) found.push(finding("same image across parts", firsts.map(({ place }) => place), `${name} is in ${firsts.map(({ part }) => part).join(" and ")} (${all.length} questions)`));
    else if (paths.length > 1) found.push(finding("duplicate image", paths.map((path) => users.get(path)?.[0].place ?? path), `${paths.map((path) => users.get(path)?.[0].image?.name ?? path).join(" and ")} are the same file`));
  }
  const list = [...prints];
  for (const [i, j] of nearDuplicates(list.map(([, print]) => print))) {
    const [a, b] = [users.get(list[i][0]) ?? [], users.get(list[j][0]) ?? []];
    const crossing = a.flatMap((x) => b.filter((y) => y.part !== x.part).slice(0, 1).map((y) => [x, y] as const))[0];
    const [x, y] = crossing ?? [a[0], b[0]];
    found.push(finding(crossing === undefined ? "near image" : "near image across parts", [x.place, y.place], `${x.image?.name} (${x.part}) and ${y.image?.name} (${y.part}) look alike`));
  }
  return found;
}

/** By normalised question and the image's bytes (its name, where it cannot be read). */
function duplicateQuestions(rows: readonly DataRow[], prints: ReadonlyMap<string, Fingerprint>): Finding[] {
  const groups = new Map<string, DataRow[]>();
  for (const row of rows) {
    const image = row.image === null ? "" : (prints.get(row.image.path ?? "")?.bytes ?? row.image.name);
    const key = `${image}\n${normaliseText(row.question).replace(/[?.!\s]+$/, "")}`;
    const list = groups.get(key);
    if (list) list.push(row);
    else groups.set(key, [row]);
  }
  const found: Finding[] = [];
  for (const list of groups.values()) {
    if (list.length < 2) continue;
    const firsts = firstOfParts(list);
    const say = (check: CheckName, who: readonly DataRow[]) =>
      found.push(finding(check, who.map(({ place }) => place), `${JSON.stringify(list[0].question)} about ${list[0].image?.name ?? "no image"}: ${[...new Set(who.map(({ answer }) => JSON.stringify(answer)))].join(", ")}`));
    if (firsts.length > 1) say("same question across parts", firsts);
    for (const { part } of firsts) {
      const same = list.filter((row) => row.part === part);
      if (same.length < 2 || part.startsWith("against ")) continue;
      const answers = new Set(same.map(({ answer }) => normaliseText(answer)));
      say(answers.size === 1 ? "duplicate question" : "contradicting answers", same);
    }
  }
  return found;
}

function firstOfParts(rows: readonly DataRow[]): DataRow[] {
  return [...new Map([...rows].reverse().map((row) => [row.part, row])).values()].reverse();
}

/** The first few; one image can have hundreds of questions. */
function placesOf(rows: readonly DataRow[]): string[] {
  const some = rows.slice(0, 3).map(({ place }) => place);
  return rows.length > 3 ? [...some, `and ${rows.length - 3} more`] : some;
}

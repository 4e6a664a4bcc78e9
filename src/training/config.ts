import { readFileSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { isMap, LineCounter, parseDocument, type Document } from "yaml";
import { messageOf, UserError } from "../util/errors.js";
import { configKeys, flagOf, type ConfigKey } from "./config-keys.js";
import { nearestName } from "./nearest.js";
import { trainSchema, type TrainConfig } from "./schema.js";

/** Keys whose value is a path: relative ones start at the config file's folder, those of flags at the current one. */
const PATH_KEYS = [
  ...["model", "output", "judge.path"],
  ...["data", "evaluation.data"].flatMap((data) => [`${data}.path`, `${data}.reasoning`, `${data}.imageRoot`]),
];

/** A flag's key path and text, as typed. */
export type Overrides = Readonly<Record<string, string>>;

/**
 * Reads a config file (YAML or JSON; `null` for none), applies flags over it and checks everything once.
 * Throws a UserError that lists each mistake with its file, line and key.
 */
export function loadConfig(file: string | null, overrides: Overrides = {}): TrainConfig {
  const source = file === null ? emptySource() : readSource(file);
  const raw = structuredClone(source.value);
  if (file !== null) resolvePaths(raw, dirname(resolve(file)));
  const keys = new Map(configKeys().map((key) => [key.path, key]));
  for (const [path, text] of Object.entries(overrides)) {
    const key = keys.get(path);
    if (key === undefined) throw new UserError(unknownKey(path, flagOf(path)));
    setPath(raw, path, overrideValue(key, text));
  }
  const place = (path: readonly PropertyKey[]) => {
    const name = path.join(".");
    return name in overrides ? flagOf(name) : source.place(path);
  };
  const config = check(raw, place);
  const output = config.output ?? `runs/${config.method}-seed${config.seed}`;
  const whole = { ...config, output };
  resolvePaths(whole, process.cwd());
  return whole;
}

/** A configuration given as an object (config.json of a run, or from code); `origin` names it in messages. */
export function configOf(value: unknown, origin = "config"): TrainConfig {
  return check(value, (path) => (path.length > 0 ? `${origin}: ${path.join(".")}` : origin));
}

interface Source {
  readonly value: Record<string, unknown>;
  /** `file:line` of a key, or of the nearest key above it. */
  place(path: readonly PropertyKey[]): string;
}

function emptySource(): Source {
  return { value: {}, place: (path) => (path.length > 0 ? flagOf(path.join(".")) : "config") };
}

function readSource(file: string): Source {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`${file}: cannot read the config: ${messageOf(error)}`);
  }
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (doc.errors.length > 0) throw new UserError(`${file}: ${doc.errors[0].message.trim()}`);
  const value: unknown = doc.toJS() ?? {};
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new UserError(`${file}: a config is a mapping of keys to values (YAML or JSON)`);
  }
  return { value: value as Record<string, unknown>, place: (path) => `${file}:${lineOf(doc, lines, path)}` };
}

/** Line of the deepest part of `path` that stands in the document. */
function lineOf(doc: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  let node: unknown = doc.contents;
  let offset = 0;
  for (const part of path) {
    if (!isMap(node)) break;
    const pair = node.items.find((item) => String(item.key) === String(part));
    if (pair === undefined) break;
    offset = (pair.key as { range?: readonly number[] | null }).range?.[0] ?? offset;
    node = pair.value;
  }
  return lines.linePos(offset).line;
}

function check(raw: unknown, place: (path: readonly PropertyKey[]) => string): TrainConfig {
  const result = trainSchema.safeParse(raw);
  if (!result.success) {
    const messages = result.error.issues.flatMap((issue) => {
      if (issue.code === "unrecognized_keys") {
        return issue.keys.map((key) => unknownKey([...issue.path, key].join("."), place([...issue.path, key])));
      }
      const given = valueAt(raw, issue.path);
      const shown = given === undefined ? "" : ` (is ${typeof given === "number" ? String(given) : JSON.stringify(given)})`;
      return [`${place(issue.path)}: ${issue.path.join(".") || "config"}: ${issue.message}${shown}`];
    });
    throw new UserError(messages.join("\n"));
  }
  checkTogether(result.data, place);
  return result.data;
}

/** What single keys cannot tell. */
function checkTogether(config: TrainConfig, place: (path: readonly PropertyKey[]) => string): void {
  const problem = (path: string, message: string): UserError => {
    const at = place(path.split("."));
    // A flag is the key's own name.
    return new UserError(at.startsWith("--") ? `${at}: ${message}` : `${at}: ${path}: ${message}`);
  };
  const { rewards, judge, sampling, method } = config;
  if (rewards.kMin > rewards.kMax) throw problem("rewards.kMin", `${rewards.kMin} is above rewards.kMax (${rewards.kMax})`);
  if (judge.kind === "llm" && judge.models.length === 0) throw problem("judge.models", "the LLM judge needs the name of a model");
  if (judge.kind === "recorded" && judge.path === undefined) throw problem("judge.path", "the recorded judge needs a file of labels");
  if (method === "sft") return;
  if (sampling.temperature === 0) throw problem("sampling.temperature", "0 gives a group of equal completions; take a value above 0");
  if (sampling.groupSize === 1) throw problem("sampling.groupSize", "a group of 1 has nothing to compare with, so every advantage is 0; take 2 or more");
  if (judge.kind !== "none") return;
  if (method === "mrpo") throw problem("judge.kind", "mrpo shapes by step verdicts: take a judge, or --method grpo (or gdpo)");
  if (rewards.weights.process > 0) {
    throw problem("rewards.weights.process", "there is no process reward without a judge: take a judge, or --rewards.weights.process 0");
  }
}

function unknownKey(path: string, place: string): string {
  const known = configKeys().map((key) => key.path);
  const groups = [...new Set(known.flatMap((name) => (name.includes(".") ? [name.slice(0, name.lastIndexOf("."))] : [])))];
  const leaf = path.slice(path.lastIndexOf(".") + 1);
  // A key of the same name in another section is nearer than a name of similar letters.
  const moved = [...known, ...groups].find((name) => name.slice(name.lastIndexOf(".") + 1) === leaf);
  const near = moved ?? nearestName(path, [...known, ...groups]);
  return `${place}: unknown key "${path}"${near === null ? "" : `; did you mean "${near}"?`} (breakwater train --help lists the keys)`;
}

function overrideValue(key: ConfigKey, text: string): unknown {
  switch (key.kind) {
    case "number":
      return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "list":
      return text === "" ? [] : text.split(",");
    case "string":
      return PATH_KEYS.includes(key.path) ? absolute(text, process.cwd()) : text;
  }
}

function resolvePaths(raw: Record<string, unknown>, base: string): void {
  for (const path of PATH_KEYS) {
    const value = valueAt(raw, path.split("."));
    if (typeof value === "string") setPath(raw, path, absolute(value, base));
  }
}

/** The shipped start policy's name is no path. */
function absolute(path: string, base: string): string {
  return path === "start" || isAbsolute(path) ? path : resolve(base, path);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );
}

function setPath(raw: Record<string, unknown>, path: string, value: unknown): void {
  const parts = path.split(".");
  const last = parts.pop() ?? path;
  let at = raw;
  for (const part of parts) {
    const next = at[part];
    at = (typeof next === "object" && next !== null ? next : (at[part] = {})) as Record<string, unknown>;
  }
  at[last] = value;
}

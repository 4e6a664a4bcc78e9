/** Models of the Hugging Face hub: in the cache that its own libraries share, or downloaded into it. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { download } from "../datasets/catalog/download.js";
import { StatusError } from "../datasets/catalog/errors.js";
import { hostsFrom } from "../datasets/catalog/hosts.js";
import { get, type HttpSettings } from "../datasets/catalog/http.js";
import { defaultRetry, retried, type RetrySettings } from "../datasets/catalog/retry.js";
import type { Checksum } from "../datasets/catalog/types.js";
import { writeFileAtomic } from "../util/atomic-file.js";
import { UserError } from "../util/errors.js";
import { isRecord } from "../util/json-file.js";

export interface HubSettings {
  /** HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, and HF_HUB_CACHE, HF_HOME or XDG_CACHE_HOME for the cache's folder. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Tries without progress before giving up. */
  readonly tries?: number;
  readonly signal?: AbortSignal;
}

export function isHubName(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(text);
}

/** Folder of a whole copy in the cache, `null` where there is none. */
export function cachedModel(name: string, hub: HubSettings): string | null {
  const root = repositoryFolder(name, hub);
  const snapshots = join(root, "snapshots");
  if (!existsSync(snapshots)) return null;
  const main = join(root, "refs", "main");
  const named = existsSync(main) ? [readFileSync(main, "utf8").trim()] : [];
  const others = readdirSync(snapshots).sort((a, b) => statSync(join(snapshots, b)).mtimeMs - statSync(join(snapshots, a)).mtimeMs);
  return [...named, ...others].map((commit) => join(snapshots, commit)).find(isWhole) ?? null;
}

const singles = ["model.safetensors", "pytorch_model.bin"];
const texts = ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"];

/** A download that was cut off leaves files out, or under another name. */
function isWhole(folder: string): boolean {
  const has = (file: string): boolean => existsSync(join(folder, file));
  if (!has("config.json") || !(has("tokenizer.json") || has("vocab.txt"))) return false;
  if (singles.some(has) || has("onnx/model.onnx")) return true;
  return singles.some((file) => {
    const index = join(folder, `${file}.index.json`);
    return existsSync(index) && shardsOf(readFileSync(index, "utf8")).every(has);
  });
}

function shardsOf(index: string): string[] {
  const parsed: unknown = JSON.parse(index);
  const map = isRecord(parsed) && isRecord(parsed.weight_map) ? parsed.weight_map : {};
  return [...new Set(Object.values(map).map(String))];
}

/** Downloads what a forward pass needs into the cache and returns its folder; a cut-off download continues. */
export async function downloadModel(name: string, hub: HubSettings, say: (message: string) => void): Promise<string> {
  const { environment, signal = new AbortController().signal } = hub;
  if (environment.HF_HUB_OFFLINE === "1") throw new UserError(`${name} is not in the cache (${repositoryFolder(name, hub)}) and HF_HUB_OFFLINE is set; unset it, or name a folder`);
  const origin = hostsFrom(environment).hub;
  const token = environment.HF_TOKEN?.trim();
  const http: HttpSettings = { fetch, token: token ? { origin: new URL(origin).origin, value: token } : null, stallMs: 60_000, signal };
  const retry: RetrySettings = { ...defaultRetry, ...(hub.tries === undefined ? {} : { tries: hub.tries }), signal, random: Math.random };
  const { commit, files } = await listing(name, origin, http, retry, say);
  const folder = join(repositoryFolder(name, hub), "snapshots", commit);
  const wanted = choose(name, [...files.keys()]);
  const bytes = wanted.reduce((sum, file) => sum + (files.get(file)?.size ?? 0), 0);
  say(`downloading ${name} (${(bytes / 1e6).toFixed(0)} MB) from ${origin} into ${folder}`);
  for (const file of wanted) {
    const path = join(folder, file);
    const { size = null, checksum = null } = files.get(file) ?? {};
    if (existsSync(path) && (size === null || statSync(path).size === size)) continue;
    // Once it is known that the hub answers, a long download deserves the usual patience.
    await download({ url: `${origin}/${name}/resolve/${commit}/${file}`, path, size, checksum, http, retry: { ...retry, tries: defaultRetry.tries }, onRetry: say });
  }
  if (!isWhole(folder)) throw new UserError(`${name} has no whole encoder on ${origin} (it has ${[...files.keys()].join(", ")}); name another, or a folder`);
  writeFileAtomic(join(repositoryFolder(name, hub), "refs", "main"), commit);
  return folder;
}

interface HubFile {
  readonly size: number | null;
  readonly checksum: Checksum | null;
}

async function listing(name: string, origin: string, http: HttpSettings, retry: RetrySettings, say: (message: string) => void): Promise<{ commit: string; files: Map<string, HubFile> }> {
  const url = `${origin}/api/models/${name}/revision/main?blobs=true`;
  const text = await retried(retry, name, async () => {
    const parts: Uint8Array[] = [];
    for await (const chunk of (await get(http, url)).chunks()) parts.push(chunk);
    return Buffer.concat(parts).toString("utf8");
  }, say).catch((error: unknown) => {
    if (!(error instanceof StatusError)) throw error;
    const way = [401, 403, 404].includes(error.status) ? `the hub knows no such model, or it needs a token (HF_TOKEN${http.token === null ? " is not set" : ""})` : "try again later";
    throw new UserError(`${name}: ${error.message}; ${way}`);
  });
  const parsed: unknown = JSON.parse(text);
  if (!isRecord(parsed) || typeof parsed.sha !== "string" || !/^[0-9a-f]{7,64}$/.test(parsed.sha) || !Array.isArray(parsed.siblings)) {
    throw new UserError(`${url} gave no description of a model; check HF_ENDPOINT`);
  }
  const files = new Map<string, HubFile>();
  for (const file of parsed.siblings as unknown[]) {
    if (!isRecord(file) || typeof file.rfilename !== "string") continue;
    const size = typeof file.size === "number" ? file.size : null;
    const lfs = isRecord(file.lfs) && typeof file.lfs.sha256 === "string" ? file.lfs.sha256 : null;
    const blob = typeof file.blobId === "string" && lfs === null ? file.blobId : null;
    const checksum: Checksum | null = lfs !== null ? { algorithm: "sha256", value: lfs } : blob !== null ? { algorithm: "git-sha1", value: blob } : null;
    files.set(file.rfilename, { size, checksum });
  }
  return { commit: parsed.sha, files };
}

/** Configuration, tokenizer and the first form of weights that is there: safetensors, then PyTorch's. */
function choose(name: string, files: readonly string[]): string[] {
  const small = texts.filter((file) => files.includes(file));
  for (const file of singles) {
    if (files.includes(file)) return [...small, file];
    const stem = file.replace(/\.\w+$/, "");
    const shards = files.filter((f) => f.startsWith(`${stem}-`) && f.endsWith(file.slice(stem.length)));
    if (files.includes(`${file}.index.json`) && shards.length > 0) return [...small, `${file}.index.json`, ...shards];
  }
  throw new UserError(`${name} has neither model.safetensors nor pytorch_model.bin; name another encoder, or a folder`);
}

function repositoryFolder(name: string, { environment }: HubSettings): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = environment;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");
  return join(HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, "hub"), `models--${name.replaceAll("/", "--")}`);
}

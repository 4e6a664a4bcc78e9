/** Which BERTScore encoder scores answers: a path, a model of the hub (from the cache, or downloaded), or none. */
import { existsSync } from "node:fs";
import type { BertScoreEncoder } from "../rewards/answer.js";
import { messageOf, UserError } from "../util/errors.js";
import { cachedModel, downloadModel, isHubName, type HubSettings } from "./hub-model.js";

/** The encoder of the paper's answer reward. */
export const defaultEncoder = "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext";

export interface AnswerEncoderOptions {
  /** `auto`, `none`, a folder or .onnx file, or the name of a model on the hub. */
  readonly which: string;
  /** 12 (or the last of a smaller encoder) where not given. */
  readonly layer?: number;
  /** ONNX Runtime execution provider. */
  readonly device?: string;
  readonly threads?: number;
  /** false keeps the encoder in the calling thread. */
  readonly worker?: boolean;
  /** Told what a user should know before the work begins. */
  readonly say?: (message: string) => void;
  readonly hub?: HubSettings;
}

/**
 * `auto` is the folder in BIOMEDBERT_PATH, else BiomedBERT from the hub's cache or the hub; where it cannot be had the
 * answer is `null`, with the reason said. @throws UserError where an encoder that was named cannot be had.
 */
export async function openAnswerEncoder(options: AnswerEncoderOptions): Promise<BertScoreEncoder | null> {
  const { which, say = () => {}, hub = { environment: process.env } } = options;
  if (which === "none") return null;
  if (which !== "auto") return open(await locate(which, hub, say), which, options);
  const path = hub.environment.BIOMEDBERT_PATH?.trim();
  if (path) return open(path, path, options);
  let folder: string;
  try {
    folder = await locate(defaultEncoder, { tries: 2, ...hub }, say);
  } catch (error) {
    if (hub.signal?.aborted) throw error;
    say(`no BERTScore encoder (${messageOf(error)}): answers get the lexical score, its two parts with 0.5 each. Name an encoder's folder to have it, or none to be asked no more.`);
    return null;
  }
  return open(folder, defaultEncoder, options);
}

async function locate(which: string, hub: HubSettings, say: (message: string) => void): Promise<string> {
  if (existsSync(which)) return which;
  if (!isHubName(which)) throw new UserError(`encoder: ${which} does not exist; name the folder of a BERT-family encoder, an .onnx file, a model of the hub, auto or none`);
  return cachedModel(which, hub) ?? (await downloadModel(which, hub, say));
}

async function open(path: string, label: string, { layer, device, threads, worker }: AnswerEncoderOptions): Promise<BertScoreEncoder> {
  const { openBertScore } = await import("../engine/local/bert/scorer.js");
  return openBertScore({ path, label, layer, device, threads, worker });
}

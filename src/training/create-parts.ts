import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadDataset, type Dataset } from "../datasets/dataset.js";
import { corruptionProfiles, verifyExample } from "../datasets/phantom/index.js";
import { sftCompletion } from "../datasets/phantom/example.js";
import { splitByImage } from "../datasets/split.js";
import type { Judge } from "../judges/judge.js";
import { openLlmJudge } from "../judges/llm/open.js";
import { phantomJudge } from "../judges/phantom.js";
import { loadRecordedJudge } from "../judges/recorded.js";
import { measureFile, prepareFile } from "../images/prepare.js";
import { formatTarget } from "../prompts/instruction.js";
import { Processor, readChatTemplate } from "../prompts/processor.js";
import { SMALL_CHAT_TEMPLATE } from "../prompts/small-template.js";
import type { BertScoreEncoder } from "../rewards/answer.js";
import type { Example } from "../types.js";
import { UserError } from "../util/errors.js";
import { openAnswerEncoder } from "./answer-encoder.js";
import { createEngine } from "./create-engine.js";
import { ImageCache } from "./image-cache.js";
import type { Codec, TrainingParts } from "./parts.js";
import type { TrainConfig } from "./schema.js";

export interface PartsOptions {
  /** Answers will be scored; where not given, unless the configuration is of SFT without evaluations. */
  readonly answers?: boolean;
  /** Told what a user should know before the work begins. */
  readonly say?: (message: string) => void;
}

/** Replies of the LLM judge, in the run's folder. */
const JUDGE_CACHE = "judge-cache.sqlite";

/** Opens everything that a configuration names: data, tokenizer, judge, encoder and last the engine. */
export async function createParts(config: TrainConfig, options: PartsOptions = {}): Promise<TrainingParts> {
  const folder = modelFolder(config.model);
  const { examples, heldOut } = loadData(config);
  checkFits(config, examples);
  const codec = createCodec(config, folder);
  const judge = await createJudge(config);
  const encoder = await createEncoder(config, examples, options);
  return { engine: await createEngine(config, folder, options.say ?? tell), codec, judge, encoder, examples, heldOut };
}

/** The phantom's answers are single words of its own: an encoder tells nothing of them that words do not. */
async function createEncoder(config: TrainConfig, examples: readonly Example[], options: PartsOptions): Promise<BertScoreEncoder | null> {
  const { answers = config.method !== "sft" || config.evaluation.every > 0, say = tell } = options;
  const { encoder: which, encoderLayer: layer } = config.rewards;
  if (!answers || (which === "auto" && examples.some((example) => verifyExample(example, []).status === "judged"))) return null;
  return openAnswerEncoder({ which, layer, device: config.engine.device, worker: config.engine.workers !== 0, say });
}

/** The folder of a model's name: `start` is the shipped start policy. */
export function modelFolder(model: string): string {
  const folder = model === "start" ? fileURLToPath(new URL("../../assets/start/phantom-biased", import.meta.url)) : model;
  if (!existsSync(join(folder, "config.json"))) {
    throw new UserError(`model: ${folder} is no Hugging Face folder (config.json is missing)`);
  }
  return folder;
}

/** Training and held-out examples; a share of images held out never overlaps the training ones. */
export function loadData(config: TrainConfig): { examples: readonly Example[]; heldOut: readonly Example[] } {
  const { data, evaluation, seed } = config;
  if (data.path === undefined) throw new UserError("data.path: no data to train on; name a folder or file with --data.path");
  const read = (path: string, options: typeof data): Dataset =>
    loadDataset(path, { ...options, limit: options.limit > 0 ? options.limit : undefined });
  const { examples } = read(data.path, data);
  if (evaluation.every === 0) return { examples, heldOut: [] };
  if (evaluation.data.path !== undefined) return { examples, heldOut: read(evaluation.data.path, evaluation.data).examples };
  if (evaluation.heldOutShare > 0) {
    const { train, heldOut } = splitByImage(examples, { share: evaluation.heldOutShare, seed });
    if (train.length === 0 || heldOut.length === 0) {
      throw new UserError(`evaluation.heldOutShare: ${evaluation.heldOutShare} of ${examples.length} examples leaves one side empty`);
    }
    return { examples: train, heldOut };
  }
  if (evaluation.data.split === data.split) {
    throw new UserError(`evaluation.data.split: "${data.split}" is the training split; name another, or --evaluation.held-out-share`);
  }
  return { examples, heldOut: read(data.path, { ...data, ...evaluation.data, path: data.path }).examples };
}

/** What only configuration and data together can tell, said before a model is loaded. */
function checkFits({ method, judge }: TrainConfig, examples: readonly Example[]): void {
  if (method !== "sft" && judge.kind === "phantom" && !examples.some((example) => verifyExample(example, []).status === "judged")) {
    throw new UserError(
      `judge.kind: the phantom's judge knows none of these ${examples.length} examples (they carry no scene); take --judge.kind none with --rewards.weights.process 0`,
    );
  }
}

export function createCodec(config: TrainConfig, folder: string): Codec {
  const processor = Processor.fromFolder(folder, { limits: config.images });
  const { tokenizer } = processor;
  const { instruction, text, thinkTag: tag, system } = config.prompt;
  const thinkTag = tag === "auto" ? processor.thinkTag : tag;
  const small = readChatTemplate(folder).text === SMALL_CHAT_TEMPLATE;
  const { image } = processor;
  // A server makes the pixels itself: it gets the file, and here only the number of its tokens is needed.
  const prepare = config.engine.kind === "tinker" ? measureFile : prepareFile;
  const images = image === null ? null : new ImageCache((path) => prepare(path, image));
  const options = {
    thinkTag,
    system,
    instruction: text !== undefined ? { text } : instruction !== "auto" ? instruction : small ? "none" : "full",
    prepare: images === null ? undefined : (path: string) => images.get(path),
  } as const;
  const { corruption } = config.sft;
  return {
    decode: (tokens) => tokenizer.decodeWithOffsets(tokens),
    segmentation: { thinkTag },
    prompt: (example) => processor.buildPrompt(example, options),
    target: (example, epoch) => {
      const text =
        corruption === "none"
          ? formatTarget(example.goldReasoning ?? "", example.answer, thinkTag)
          : sftCompletion(example, corruptionProfiles[corruption], config.seed, epoch);
      return processor.encodeTarget(text);
    },
  };
}

async function createJudge({ judge, output }: TrainConfig): Promise<Judge | null> {
  switch (judge.kind) {
    case "llm": {
      const { timeout, patience, cache, ...rest } = judge;
      // A run's own cache travels with it, and so does what was spent; in a shared one the run is known by its folder.
      const file = cache ?? (output === undefined ? undefined : join(output, JUDGE_CACHE));
      const budgetScope = cache === undefined ? "run" : resolve(output ?? "");
      return openLlmJudge({ ...rest, cache: file, budgetScope, timeoutMs: 1000 * timeout, patienceMs: 1000 * patience });
    }
    case "none":
      return null;
    case "phantom":
      return phantomJudge(verifyExample);
    case "recorded":
      if (judge.path === undefined) throw new UserError("judge.path: the recorded judge needs a file of labels");
      return loadRecordedJudge(judge.path);
  }
}

function tell(message: string): void {
  process.stderr.write(`${message}\n`);
}

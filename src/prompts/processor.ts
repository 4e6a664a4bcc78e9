import { existsSync } from "node:fs";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import type { ImageGeometry, ImageLimits } from "../images/geometry.js";
import { loadImageGeometry } from "../images/load-geometry.js";
import { prepareFile } from "../images/prepare.js";
import { SPECIAL_TOKENS, Tokenizer } from "../tokenizer/tokenizer.js";
import type { Example, PreparedImage, Prompt } from "../types.js";
import { messageOf, UserError } from "../util/errors.js";
import { readJsonObject } from "../util/json-file.js";
import { readChatTemplate } from "./chat-template.js";
import { type Instruction, instructionText, type ThinkTag } from "./instruction.js";

export { readChatTemplate } from "./chat-template.js";

export interface PromptOptions {
  /** Default: the one that fits the tokenizer (`Processor.thinkTag`). */
  readonly thinkTag?: ThinkTag;
  /** Default `full`. */
  readonly instruction?: Instruction;
  /** A system message before the question. */
  readonly system?: string;
  /** Where prepared images come from: a caller's cache. Default: prepared anew each time. */
  readonly prepare?: (path: string) => Promise<PreparedImage>;
}

export interface ProcessorOptions {
  /** Names the template in messages. */
  readonly source?: string;
  /** Ids that end a completion; the tokenizer's where not given. */
  readonly stopIds?: readonly number[];
  /** System message of a prompt that brings none of its own. */
  readonly system?: string;
}

const KEEP = "Use the files that came with the model.";

/** What turns an example into a model's input: tokenizer, chat template and image settings of one model folder. */
export class Processor {
  /** Ids that end a completion: eos_token_id of generation_config.json. */
  readonly stopIds: readonly number[];
  private readonly template: Template;
  private readonly source: string;
  private readonly system: string | undefined;

  /** @param image `null` for a model without a vision tower. */
  constructor(
    readonly tokenizer: Tokenizer,
    chatTemplate: string,
    readonly image: ImageGeometry | null,
    { source = "chat_template.jinja", stopIds = tokenizer.stopIds, system }: ProcessorOptions = {},
  ) {
    this.source = source;
    this.stopIds = stopIds;
    this.system = system;
    try {
      this.template = new Template(chatTemplate);
    } catch (error) {
      throw new UserError(`${source} is not a chat template that can be read: ${messageOf(error)}. ${KEEP}`);
    }
  }

  /** @throws UserError where tokenizer.json, the chat template or (with `images`) the preprocessor's file is missing. */
  static fromFolder(dir: string, { images = true, limits }: { images?: boolean; limits?: ImageLimits } = {}): Processor {
    const { text, source, system } = readChatTemplate(dir);
    const tokenizer = Tokenizer.fromFolder(dir);
    const image = images ? loadImageGeometry(dir, limits) : null;
    return new Processor(tokenizer, text, image, { source, system, stopIds: readStopIds(dir) ?? tokenizer.stopIds });
  }

  /** Id of the token that stands for a part of an image. @throws UserError for a model of text. */
  get imageTokenId(): number {
    if (!this.image) throw new UserError(`This model takes text only (${this.source}). Use a vision-language model.`);
    return this.tokenizer.idOf(this.image.tokens.placeholder);
  }

  /** `thinking` where <think> is a token of its own (Qwen3 family), else `think`. */
  get thinkTag(): ThinkTag {
    return this.tokenizer.hasToken("<think>") ? "thinking" : "think";
  }

  /** Loads and prepares the example's image and tokenises the question. @throws UserError naming the example. */
  async buildPrompt(example: Pick<Example, "id" | "image" | "question">, options: PromptOptions = {}): Promise<Prompt> {
    const { image: config } = this;
    if (example.image === null) return this.assemble(example, [], options);
    if (!config) throw new UserError(`Example "${example.id}" has an image, but this model takes text only. Use a vision-language model.`);
    const prepare = options.prepare ?? ((path: string) => prepareFile(path, config));
    return this.assemble(example, [await prepare(example.image)], options);
  }

  /** The prompt of a question whose images are prepared already; they come before the text, in order. */
  assemble(example: Pick<Example, "id" | "question">, images: readonly PreparedImage[], options: PromptOptions = {}): Prompt {
    const { thinkTag = this.thinkTag, instruction = "full", system = this.system } = options;
    const asked = instructionText(instruction, thinkTag);
    const content = [
      ...images.map(() => ({ type: "image" })),
      { type: "text", text: asked ? `${example.question}\n${asked}` : example.question },
    ];
    const messages = [...(system ? [{ role: "system", content: system }] : []), { role: "user", content }];
    const { tokens, used } = this.expand(this.tokenizer.encode(this.render(messages)), images);
    if (used !== images.length) {
      const pad = this.image?.tokens.placeholder ?? SPECIAL_TOKENS.imagePad;
      throw new UserError(`Example "${example.id}": its prompt has ${used} image placeholders for ${images.length} images. Remove ${pad} from the question, or use a template (${this.source}) that writes one for each image.`);
    }
    return { tokens, images };
  }

  /** Tokens of a completion to imitate, closed by <|im_end|>. */
  encodeTarget(text: string): number[] {
    return [...this.tokenizer.encode(text), this.tokenizer.idOf(SPECIAL_TOKENS.imEnd)];
  }

  /** Each placeholder becomes as many as its image takes, between the family's own marks; `used` counts them. */
  private expand(ids: readonly number[], images: readonly PreparedImage[]): { tokens: number[]; used: number } {
    if (images.length === 0) return { tokens: [...ids], used: 0 };
    const pad = this.imageTokenId;
    const marks = (names: readonly string[]): number[] => names.map((name) => this.tokenizer.idOf(name));
    const before = marks(this.image?.tokens.before ?? []);
    const after = marks(this.image?.tokens.after ?? []);
    const tokens: number[] = [];
    let used = 0;
    for (const id of ids) {
      if (id !== pad) tokens.push(id);
      else tokens.push(...before, ...new Array<number>(images[used++]?.tokenCount ?? 0).fill(pad), ...after);
    }
    return { tokens, used };
  }

  /** The template's text, up to where the assistant's turn begins. */
  private render(messages: readonly object[]): string {
    try {
      return this.template.render({ messages, add_generation_prompt: true });
    } catch (error) {
      throw new UserError(`${this.source} could not be rendered: ${messageOf(error)}. ${KEEP}`);
    }
  }
}

/** eos_token_id of generation_config.json: one id or several; `null` where the file or the key is missing. */
function readStopIds(dir: string): number[] | null {
  const path = join(dir, "generation_config.json");
  if (!existsSync(path)) return null;
  const value = readJsonObject(path, KEEP).eos_token_id;
  if (value === undefined || value === null) return null;
  const ids: unknown[] = Array.isArray(value) ? value : [value];
  if (!ids.every((id) => typeof id === "number" && Number.isInteger(id))) {
    throw new UserError(`${path}: "eos_token_id" is ${JSON.stringify(value)}; it must be a token id or a list of them. ${KEEP}`);
  }
  return ids as number[];
}

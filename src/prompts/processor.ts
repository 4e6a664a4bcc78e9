import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { loadImageConfig, prepareImage, type QwenImageConfig } from "../images/qwen-vl.js";
import { SPECIAL_TOKENS, Tokenizer } from "../tokenizer/tokenizer.js";
import type { Example, PreparedImage, Prompt } from "../types.js";
import { messageOf, UserError } from "../util/errors.js";
import { readJsonObject } from "../util/json-file.js";
import { type Instruction, instructionText, type ThinkTag } from "./instruction.js";

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

const KEEP = "Use the files that came with the model.";

/** What turns an example into a model's input: tokenizer, chat template and image settings of one model folder. */
export class Processor {
  private readonly template: Template;

  /** @param image `null` for a model without a vision tower. @param source names the template in messages. */
  constructor(
    readonly tokenizer: Tokenizer,
    chatTemplate: string,
    readonly image: QwenImageConfig | null,
    private readonly source = "chat_template.jinja",
  ) {
    try {
      this.template = new Template(chatTemplate);
    } catch (error) {
      throw new UserError(`${source} is not a chat template that can be read: ${messageOf(error)}. ${KEEP}`);
    }
  }

  /** @throws UserError where tokenizer.json, the chat template or (with `images`) the preprocessor's file is missing. */
  static fromFolder(dir: string, { images = true }: { images?: boolean } = {}): Processor {
    const { text, source } = readChatTemplate(dir);
    return new Processor(Tokenizer.fromFolder(dir), text, images ? loadImageConfig(dir) : null, source);
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
    const prepare = options.prepare ?? ((path: string) => prepareImage(path, config));
    return this.assemble(example, [await prepare(example.image)], options);
  }

  /** The prompt of a question whose images are prepared already; they come before the text, in order. */
  assemble(example: Pick<Example, "id" | "question">, images: readonly PreparedImage[], options: PromptOptions = {}): Prompt {
    const { thinkTag = this.thinkTag, instruction = "full", system } = options;
    const asked = instructionText(instruction, thinkTag);
    const content = [
      ...images.map(() => ({ type: "image" })),
      { type: "text", text: asked ? `${example.question}\n${asked}` : example.question },
    ];
    const messages = [...(system ? [{ role: "system", content: system }] : []), { role: "user", content }];
    const pad = images.length > 0 ? this.tokenizer.idOf(SPECIAL_TOKENS.imagePad) : -1;
    const tokens: number[] = [];
    let used = 0;
    for (const id of this.tokenizer.encode(this.render(messages))) {
      if (id !== pad) tokens.push(id);
      else {
        const image = images[used++];
        for (let i = 0; i < (image?.tokenCount ?? 0); i++) tokens.push(id);
      }
    }
    if (used !== images.length) {
      throw new UserError(`Example "${example.id}": its prompt has ${used} image placeholders for ${images.length} images. Remove ${SPECIAL_TOKENS.imagePad} from the question, or use a template (${this.source}) that writes one for each image.`);
    }
    return { tokens, images };
  }

  /** Tokens of a completion to imitate, closed by <|im_end|>. */
  encodeTarget(text: string): number[] {
    return [...this.tokenizer.encode(text), this.tokenizer.idOf(SPECIAL_TOKENS.imEnd)];
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

/** chat_template.jinja, or where older models keep it: chat_template.json, tokenizer_config.json. */
export function readChatTemplate(dir: string): { text: string; source: string } {
  const file = join(dir, "chat_template.jinja");
  if (existsSync(file)) return { text: readFileSync(file, "utf8"), source: file };
  for (const name of ["chat_template.json", "tokenizer_config.json"]) {
    const path = join(dir, name);
    if (!existsSync(path)) continue;
    const text = readJsonObject(path, KEEP).chat_template;
    if (typeof text === "string") return { text, source: `${path} (chat_template)` };
  }
  throw new UserError(`${dir} has no chat template (chat_template.jinja, or "chat_template" in tokenizer_config.json). ${KEEP}`);
}

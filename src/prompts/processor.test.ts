import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { imageConfigJson, parseImageConfig, prepareRgb, qwenGeometry } from "../images/qwen-vl.js";
import { Tokenizer } from "../tokenizer/tokenizer.js";
import { UserError } from "../util/errors.js";
import { formatTarget, instructionText } from "./instruction.js";
import { Processor, readChatTemplate } from "./processor.js";
import { SMALL_CHAT_TEMPLATE } from "./small-template.js";

const fixtures = join(import.meta.dirname, "../../interop/fixtures");
const folder = join(fixtures, "tokenizer/trained");
const config = parseImageConfig({ patch_size: 8, min_pixels: 1024, max_pixels: 4096, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] }, "test");
// What interop/prompt_fixtures.py reads; tokenizer.test.ts writes the tokenizer.
if (process.env.UPDATE_FIXTURES) {
  writeFileSync(join(folder, "chat_template.jinja"), SMALL_CHAT_TEMPLATE);
  writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify(imageConfigJson(config), null, 2) + "\n");
}
const processor = Processor.fromFolder(folder);
interface Case {
  text: string;
  sizes: [number, number][];
  system: string | null;
  ids: number[];
  grids: [number, number, number][];
}
const cases = JSON.parse(readFileSync(join(fixtures, "prompts.json"), "utf8")) as Case[];

const blank = (width: number, height: number): ReturnType<typeof prepareRgb> =>
  prepareRgb({ source: "blank", width, height, data: new Uint8Array(width * height * 3), notes: [] }, config);

describe("prompts against transformers' Qwen3-VL processor", () => {
  it("the committed folder holds the template and the image settings", () => {
    expect(readFileSync(join(folder, "chat_template.jinja"), "utf8")).toBe(SMALL_CHAT_TEMPLATE);
    expect(JSON.parse(readFileSync(join(folder, "preprocessor_config.json"), "utf8"))).toEqual(imageConfigJson(config));
    expect(cases.length).toBeGreaterThan(3);
  });

  it.each(cases.map((c) => [c.text, c] as const))("%j", (_, c) => {
    const images = c.sizes.map(([w, h]) => blank(w, h));
    expect(images.map(({ grid }) => [grid.t, grid.h, grid.w])).toEqual(c.grids);
    const prompt = processor.assemble({ id: "x", question: c.text }, images, { instruction: "none", system: c.system ?? undefined });
    expect(prompt.tokens).toEqual(c.ids);
    expect(prompt.images).toBe(images);
  });
});

describe("Processor", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "bw-proc-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("loads the image of an example, or takes it from the caller's cache", async () => {
    const path = join(dir, "a.png");
    await sharp({ create: { width: 40, height: 32, channels: 3, background: "#102030" } }).png().toFile(path);
    const prompt = await processor.buildPrompt({ id: "a", image: path, question: "Q?" }, { instruction: "short" });
    const pad = processor.tokenizer.idOf("<|image_pad|>");
    expect(prompt.tokens.filter((id) => id === pad)).toHaveLength(prompt.images[0].tokenCount);
    expect(processor.tokenizer.decode(prompt.tokens)).toBe("user\nQ?\nReason in <think></think>, then answer in <answer></answer>.\nassistant\n");
    const cached = blank(16, 16);
    const again = await processor.buildPrompt({ id: "a", image: "nowhere.png", question: "Q?" }, { prepare: () => Promise.resolve(cached) });
    expect(again.images).toEqual([cached]);
    await expect(processor.buildPrompt({ id: "a", image: join(dir, "none.png"), question: "Q?" })).rejects.toThrow(/none\.png/);
  });

  it("refuses a question that holds a placeholder, and an image for a model of text", async () => {
    expect(() => processor.assemble({ id: "e1", question: "a <|image_pad|> b" }, [blank(16, 16)])).toThrow(/"e1".*2 image placeholders for 1/);
    expect(() => processor.assemble({ id: "e1", question: "a" }, [blank(16, 16), blank(16, 16)], {})).not.toThrow();
    const noImage = new Processor(processor.tokenizer, "{{ messages[0]['content'][0]['type'] }}", qwenGeometry(config));
    expect(() => noImage.assemble({ id: "e2", question: "a" }, [blank(16, 16)])).toThrow(UserError);
    const text = new Processor(processor.tokenizer, SMALL_CHAT_TEMPLATE, null);
    await expect(text.buildPrompt({ id: "e3", image: "x.png", question: "q" })).rejects.toThrow(/takes text only/);
    expect((await text.buildPrompt({ id: "e3", image: null, question: "q" }, { instruction: "none" })).images).toEqual([]);
  });

  it("closes a target with <|im_end|>", () => {
    const ids = processor.encodeTarget(formatTarget("A. B.", "lung", "think"));
    expect(ids.at(-1)).toBe(processor.tokenizer.idOf("<|im_end|>"));
    expect(processor.tokenizer.decode(ids)).toBe("<think>A. B.</think><answer>lung</answer>");
  });

  it("reads the template from where older models keep it", () => {
    expect(() => readChatTemplate(dir)).toThrow(/no chat template/);
    writeFileSync(join(dir, "tokenizer_config.json"), JSON.stringify({ chat_template: "old" }));
    expect(readChatTemplate(dir).text).toBe("old");
    writeFileSync(join(dir, "chat_template.json"), JSON.stringify({ chat_template: "middle" }));
    expect(readChatTemplate(dir).text).toBe("middle");
    writeFileSync(join(dir, "chat_template.jinja"), "new");
    expect(readChatTemplate(dir).text).toBe("new");
    expect(() => new Processor(processor.tokenizer, "{% if", null)).toThrow(/not a chat template/);
  });

  it("writes InternVL's original prompts, with the system message of its conversation.py", () => {
    writeFileSync(join(dir, "config.json"), JSON.stringify({ model_type: "internvl_chat", template: "internvl2_5" }));
    writeFileSync(join(dir, "tokenizer_config.json"), JSON.stringify({ chat_template: "of the language model alone" }));
    expect(() => readChatTemplate(dir)).toThrow(/without its conversation\.py/);
    const code = (name: string): string => `register(\n  Conversation(\n    name='other',\n    system_message='No.',\n  )\n)\nregister(\n  Conversation(\n    name='${name}',\n    system_template='<|im_start|>system\\n{system_message}',\n    system_message='You are InternVL.',\n  )\n)`;
    writeFileSync(join(dir, "conversation.py"), code("internvl2"));
    expect(() => readChatTemplate(dir)).toThrow(/no conversation named "internvl2_5"/);
    writeFileSync(join(dir, "conversation.py"), code("internvl2_5"));
    const { text, system } = readChatTemplate(dir);
    expect(system).toBe("You are InternVL.");
    const render = new Processor(processor.tokenizer, text, null, { system });
    const { tokens } = render.assemble({ id: "x", question: "Q?" }, [], { instruction: "none" });
    expect(tokens).toEqual(processor.tokenizer.encode("<|im_start|>system\nYou are InternVL.<|im_end|>\n<|im_start|>user\nQ?<|im_end|>\n<|im_start|>assistant\n"));
  });

  it("stops at the ids of generation_config.json, or at the tokenizer's", () => {
    expect(processor.stopIds).toEqual(processor.tokenizer.stopIds);
    for (const name of ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "preprocessor_config.json"]) copyFileSync(join(folder, name), join(dir, name));
    const stops = (value: unknown): readonly number[] => {
      writeFileSync(join(dir, "generation_config.json"), JSON.stringify({ eos_token_id: value }));
      return Processor.fromFolder(dir).stopIds;
    };
    expect(stops([5, 3])).toEqual([5, 3]);
    expect(stops(7)).toEqual([7]);
    expect(stops(null)).toEqual(processor.tokenizer.stopIds);
    expect(() => stops(["</s>"])).toThrow(/"eos_token_id" is \["<\/s>"\]/);
  });

  it("chooses the think tag that is not a token of its own", () => {
    expect(processor.thinkTag).toBe("think");
    const json = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8")) as { added_tokens: object[] };
    json.added_tokens.push({ id: 400, content: "<think>", single_word: false, lstrip: false, rstrip: false, normalized: false, special: false });
    expect(new Processor(new Tokenizer(json, {}), SMALL_CHAT_TEMPLATE, null).thinkTag).toBe("thinking");
  });
});

describe("instructionText", () => {
  it("names the tags, or nothing", () => {
    expect(instructionText("none", "think")).toBe("");
    for (const kind of ["short", "full"] as const) {
      const text = instructionText(kind, "thinking");
      expect(text).toContain("<thinking>");
      expect(text).toContain("<answer>");
      expect(text).not.toContain("<think>");
    }
    expect(instructionText({ text: "Use <{tag}>." }, "think")).toBe("Use <think>.");
  });
});

import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ImageGeometry } from "../images/geometry.js";
import type { RgbImage } from "../images/load.js";
import { loadImageGeometry } from "../images/load-geometry.js";
import { UserError } from "../util/errors.js";
import { Tokenizer } from "../tokenizer/tokenizer.js";
import { formatTarget, instructionText, type ThinkTag } from "./instruction.js";
import { Processor } from "./processor.js";

const fixtures = join(import.meta.dirname, "../../interop/fixtures/processors");
const tags = { "qwen3-vl": "thinking", "qwen2.5-vl": "think", internvl3: "think" } as const satisfies Record<string, ThinkTag>;
type Backbone = keyof typeof tags;
const backbones = Object.keys(tags) as Backbone[];

interface Conversation {
  name: string;
  sizes: [number, number][];
  system: string | null;
  /** Whole text of the user, and of the answer, by backbone: the think tag differs. */
  text: Record<Backbone, string>;
  target: Record<Backbone, string>;
}
interface Expected {
  template: string;
  geometry: { width: number; height: number; tokens?: number; grid?: [number, number, number]; tiles?: number; error?: string }[];
  conversations: { name: string; ids: number[]; full: number[] }[];
  pixels: { width: number; height: number; tiles: number; sha256: string; values: [number, number, number, number, number, number][]; sum: number; levels: Record<string, number> }[];
}

const questions: { name: string; question: string; instruction: "full" | "short" | "none"; sizes: [number, number][]; system?: string }[] = [
  { name: "paper", question: "Which lobe of the lung shows the consolidation?", instruction: "full", sizes: [[512, 400]] },
  { name: "tall", question: "Is there a fracture of the 3rd rib?", instruction: "short", sizes: [[300, 1024]] },
  { name: "tiny", question: "What modality is this?", instruction: "none", sizes: [[1, 1]] },
  { name: "system", question: "Où est la lésion\u202f?\n\n  2.5 cm × 10⁻³ — \"left\"?", instruction: "full", sizes: [[640, 80]], system: "You read scans." },
  { name: "two images", question: "Compare them: 肺炎 or not? 🩻", instruction: "short", sizes: [[64, 64], [201, 333]] },
  { name: "text only", question: "What is a T2-weighted MRI?", instruction: "full", sizes: [] },
];
const listed = (): Conversation[] =>
  questions.map(({ name, question, instruction, sizes, system }) => {
    const by = (text: (tag: ThinkTag) => string): Record<Backbone, string> => ({ "qwen3-vl": text("thinking"), "qwen2.5-vl": text("think"), internvl3: text("think") });
    return {
      name,
      sizes,
      system: system ?? null,
      text: by((tag) => (instruction === "none" ? question : `${question}\n${instructionText(instruction, tag)}`)),
      target: by((tag) => formatTarget("This is a chest X-ray. The left lower lobe is opaque, 2.5 cm wide.", "left lower lobe", tag)),
    };
  });
const conversationFile = join(fixtures, "conversations.json");
if (process.env.UPDATE_FIXTURES) writeFileSync(conversationFile, JSON.stringify(listed(), null, 1) + "\n");

/** The same smooth picture as interop/image_processor_fixtures.py makes. */
function make(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        data[at++] = Math.floor((Math.floor((x * 255) / Math.max(width - 1, 1)) * (3 - c) + Math.floor((y * 255) / Math.max(height - 1, 1)) * (c + 1)) / 4);
      }
    }
  }
  return { source: "made", width, height, data, notes: [] };
}

/** An image that was only measured, as engines that send the file take it. */
function measured(geometry: ImageGeometry, [width, height]: [number, number]): Parameters<Processor["assemble"]>[1][number] {
  const { grid, tokenCount } = geometry.plan({ width, height });
  return { source: "made", grid, tokenCount, patches: new Float32Array(0) };
}

describe.each(backbones)("%s against transformers", (name) => {
  const folder = join(fixtures, name);
  const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as Expected;
  const processor = Processor.fromFolder(folder);
  const geometry = loadImageGeometry(folder);

  it("is made from the conversations above, with the checkpoint's own template", () => {
    expect(JSON.parse(readFileSync(conversationFile, "utf8"))).toEqual(listed());
    expect(expected.template).toBe("the checkpoint's own");
    expect(expected.geometry.length).toBeGreaterThanOrEqual(40);
  });

  it("plans every size as its processor does, and refuses the same", () => {
    const seen = expected.geometry.map(({ width, height, grid, tiles, error }) => {
      try {
        const plan = geometry.plan({ width, height });
        return { width, height, tokens: plan.tokenCount, ...(grid && { grid: [plan.grid.t, plan.grid.h, plan.grid.w] }), ...(tiles && { tiles: plan.grid.t }) };
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(UserError);
        return { width, height, error };
      }
    });
    expect(seen).toEqual(expected.geometry);
    expect(seen.some((row) => "error" in row)).toBe(name !== "internvl3");
  });

  it.each(questions.map((q, i) => [q.name, q, i] as const))("tokenises the conversation %j", (_, { question, instruction, sizes, system }, i) => {
    const { ids, full } = expected.conversations[i];
    const prompt = processor.assemble({ id: "x", question }, sizes.map((size) => measured(geometry, size)), { instruction, system });
    expect(prompt.tokens).toEqual(ids);
    const target = listed()[i].target[name];
    // After the answer's <|im_end|> the template writes a line break, which is not trained on.
    expect([...prompt.tokens, ...processor.encodeTarget(target), ...processor.tokenizer.encode("\n")]).toEqual(full);
  });

  it("knows its think tag, its placeholder and its stop tokens", () => {
    expect(processor.thinkTag).toBe(tags[name]);
    expect(processor.imageTokenId).toBe(name === "internvl3" ? 151667 : 151655);
    expect(processor.stopIds).toEqual(name === "internvl3" ? [151645] : [151645, 151643]);
  });

  it.each(expected.pixels.map((p) => [`${p.width}×${p.height}`, p] as const))("makes the pixels of %s", (_, p) => {
    const image = geometry.prepare(make(p.width, p.height));
    expect(image).toMatchObject({ layout: "tiles", grid: { t: p.tiles, h: 32, w: 32 }, tokenCount: p.tiles * 256 });
    const side = 448;
    const std = [0.229, 0.224, 0.225];
    const mean = [0.485, 0.456, 0.406];
    for (const [t, c, y, x, pillow, torchvision] of p.values) {
      const value = image.patches[((t * 3 + c) * side + y) * side + x];
      expect(value).toBeCloseTo(pillow, 5);
      // torchvision's 8-bit kernel rounds its weights to 16 bits: two levels at most.
      expect(Math.abs(value - torchvision) * std[c] * 255).toBeLessThan(2.01);
    }
    expect(Math.max(...Object.values(p.levels))).toBeLessThan(2.01);
    const bytes = new Uint8Array(image.patches.length);
    for (let i = 0; i < bytes.length; i++) {
      const [t, c, at] = [Math.floor(i / (3 * side * side)), Math.floor(i / (side * side)) % 3, i % (side * side)];
      bytes[(t * side * side + at) * 3 + c] = Math.round((image.patches[i] * std[c] + mean[c]) * 255);
    }
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(p.sha256);
  });
});

// Not part of the repository: the checkpoints' own templates and whole vocabulary (see interop/processors.py for where they are).
const templates = process.env.BREAKWATER_CHAT_TEMPLATES ?? "";
const vocabulary = process.env.BREAKWATER_QWEN3_TOKENIZER ?? "";
describe.skipIf(templates === "" || vocabulary === "")("with the checkpoints' own files (BREAKWATER_CHAT_TEMPLATES, BREAKWATER_QWEN3_TOKENIZER)", () => {
  const files: Record<Backbone, string> = { "qwen3-vl": "qwen3_vl.jinja", "qwen2.5-vl": "qwen2_5_vl.jinja", internvl3: "internvl3.jinja" };
  it.each(backbones.filter((name) => existsSync(join(templates, files[name]))))("%s gives the same ids", (name) => {
    const folder = join(fixtures, name);
    const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as Expected;
    const geometry = loadImageGeometry(folder);
    const tokenizer = name === "qwen3-vl" ? Tokenizer.fromFolder(vocabulary) : Tokenizer.fromFolder(folder);
    const processor = new Processor(tokenizer, readFileSync(join(templates, files[name]), "utf8"), geometry);
    for (const [i, { question, instruction, sizes, system }] of questions.entries()) {
      const { tokens } = processor.assemble({ id: "x", question }, sizes.map((size) => measured(geometry, size)), { instruction, system });
      expect(tokens).toEqual(expected.conversations[i].ids);
    }
  });
});

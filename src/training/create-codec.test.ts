import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configOf } from "./config.js";
import { createCodec } from "./create-parts.js";

const folder = join(import.meta.dirname, "../../interop/fixtures/processors/qwen2.5-vl");
let dir: string;
let image: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "bw-codec-"));
  image = join(dir, "a.png");
  await sharp({ create: { width: 300, height: 200, channels: 3, background: "#456" } }).png().toFile(image);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("createCodec", () => {
  const example = () => ({ id: "a", image, question: "What is this?", answer: "lung", goldReasoning: null });

  it("computes pixels for the local engine, and only counts tokens for a server", async () => {
    const here = await createCodec(configOf({ engine: { kind: "local" } }), folder).prompt(example());
    const there = await createCodec(configOf({ engine: { kind: "tinker" } }), folder).prompt(example());
    expect(there.tokens).toEqual(here.tokens);
    expect(here.images[0].patches.length).toBeGreaterThan(0);
    expect(there.images[0]).toMatchObject({ source: image, grid: here.images[0].grid, tokenCount: here.images[0].tokenCount });
    expect(there.images[0].patches).toHaveLength(0);
  });

  it("takes bounds and words of one's own", async () => {
    const config = configOf({ engine: { kind: "tinker" }, images: { maxPixels: 20000 }, prompt: { text: "Say <{tag}>." } });
    const codec = createCodec(config, folder);
    const { images, tokens } = await codec.prompt(example());
    expect(images[0].sendAs).toEqual({ width: 168, height: 112 });
    expect(codec.decode(tokens).text).toContain("What is this?\nSay <think>.");
    expect(codec.segmentation.thinkTag).toBe("think");
  });
});

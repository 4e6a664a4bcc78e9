import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../util/errors.js";
import type { RgbImage } from "./load.js";
import { loadImageGeometry } from "./load-geometry.js";
import { imageConfigJson, parseImageConfig, prepareRgb, qwenGeometry, smartResize } from "./qwen-vl.js";
import { resizeBicubic } from "./resize.js";

interface Case {
  config: string;
  width: number;
  height: number;
  smooth: boolean;
  grid: [number, number, number];
  sha256: string;
  values: [number, number, number][];
  sum: number;
}
const file = join(import.meta.dirname, "../../interop/fixtures/image-processor.json");
const fixture = JSON.parse(readFileSync(file, "utf8")) as { configs: Record<string, Record<string, unknown>>; cases: Case[] };

/** The same picture as interop/image_processor_fixtures.py makes. */
function make({ width, height, smooth }: { width: number; height: number; smooth: boolean }): RgbImage {
  const data = new Uint8Array(width * height * 3);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        data[at++] = smooth
          ? Math.floor((Math.floor((x * 255) / Math.max(width - 1, 1)) * (3 - c) + Math.floor((y * 255) / Math.max(height - 1, 1)) * (c + 1)) / 4)
          : (Math.floor((x * x * (3 + c) + y * (17 + 5 * c) + x * y * (c + 1)) / 7) + 40 * c) % 256;
      }
    }
  }
  return { source: "made", width, height, data, notes: [] };
}

describe("prepareRgb against transformers", () => {
  it("covers more than twenty shapes", () => {
    expect(new Set(fixture.cases.map(({ width, height }) => `${width}×${height}`)).size).toBeGreaterThanOrEqual(20);
  });

  it.each(fixture.cases.map((c) => [`${c.config} ${c.width}×${c.height}`, c] as const))("%s", (_, c) => {
    const config = parseImageConfig(fixture.configs[c.config], "fixture");
    const image = make(c);
    const [t, h, w] = c.grid;
    const resized = resizeBicubic(image.data, image.width, image.height, w * config.patchSize, h * config.patchSize);
    expect(createHash("sha256").update(resized).digest("hex")).toBe(c.sha256);
    const prepared = prepareRgb(image, config);
    expect(prepared.grid).toEqual({ t, h, w });
    expect(prepared.tokenCount).toBe((t * h * w) / 4);
    const columns = prepared.patches.length / (t * h * w);
    expect(columns).toBe(3 * 2 * config.patchSize ** 2);
    for (const [row, column, value] of c.values) expect(prepared.patches[row * columns + column]).toBeCloseTo(value, 5);
    const sum = prepared.patches.reduce((a, b) => a + b, 0);
    expect(Math.abs(sum - c.sum)).toBeLessThan(1e-6 * prepared.patches.length);
  });
});

describe("smartResize", () => {
  it("rounds halves to even and keeps the bounds", () => {
    expect(smartResize({ width: 80, height: 48 }, 32, 1, 1e9)).toEqual({ width: 64, height: 64 });
    expect(smartResize({ width: 112, height: 112 }, 32, 1, 1e9)).toEqual({ width: 128, height: 128 });
    for (const [width, height] of [[7, 900], [3000, 2000], [1, 1], [31, 33]]) {
      const out = smartResize({ width, height }, 16, 1024, 65536);
      expect(out.width % 16 | out.height % 16).toBe(0);
      expect(out.width * out.height).toBeLessThanOrEqual(65536);
      expect(out.width * out.height).toBeGreaterThanOrEqual(1024);
    }
  });

  it("refuses a strip", () => {
    expect(() => smartResize({ width: 20000, height: 99 }, 32, 1, 1e9, "strip.png")).toThrow(/strip\.png is 20000×99 .*Crop it/);
  });
});

describe("preprocessor_config.json", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "bw-img-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("comes back as it was written, alone or in processor_config.json", () => {
    const config = parseImageConfig(fixture.configs.small, "fixture");
    expect(config).toMatchObject({ patchSize: 8, minPixels: 1024, maxPixels: 4096, mean: [0.5, 0.4, 0.3] });
    writeFileSync(join(dir, "processor_config.json"), JSON.stringify({ image_processor: imageConfigJson(config) }));
    const image = make({ width: 90, height: 41, smooth: true });
    expect(loadImageGeometry(dir).prepare(image)).toEqual(qwenGeometry(config).prepare(image));
    writeFileSync(join(dir, "preprocessor_config.json"), JSON.stringify({ ...imageConfigJson(config), patch_size: 4 }));
    expect(loadImageGeometry(dir).prepare(image)).toEqual(qwenGeometry({ ...config, patchSize: 4 }).prepare(image));
  });

  it("is refused with file and key", () => {
    expect(() => loadImageGeometry(dir)).toThrow(/preprocessor_config\.json/);
    for (const [change, message] of [
      [{ patch_size: "8" }, /"patch_size" is "8"/],
      [{ image_mean: [0.5] }, /"image_mean"/],
      [{ image_std: [1, 0, 1] }, /"image_std"/],
      [{ do_normalize: false }, /"do_normalize"/],
      [{ max_pixels: 10 }, /Raise max_pixels/],
    ] as const) {
      const parse = (): unknown => parseImageConfig({ ...fixture.configs.small, ...change }, "p.json");
      expect(parse).toThrow(UserError);
      expect(parse).toThrow(message);
    }
  });
});

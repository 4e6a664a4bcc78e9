import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../util/errors.js";
import type { JsonObject } from "../util/json-file.js";
import { parseInternVLConfig, tileGrid } from "./internvl.js";
import { loadImageGeometry } from "./load-geometry.js";

const fixtures = join(import.meta.dirname, "../../interop/fixtures/processors");
const clip = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };

describe("loadImageGeometry", () => {
  let dir: string;
  const write = (name: string, value: JsonObject): void => writeFileSync(join(dir, name), JSON.stringify(value));
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "bw-geometry-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("knows a family by its model type, else by its processor's class, and refuses others", () => {
    write("preprocessor_config.json", { image_processor_type: "CLIPImageProcessor" });
    expect(() => loadImageGeometry(dir)).toThrow(/"CLIPImageProcessor" is not known\. Qwen2-VL/);
    write("config.json", { model_type: "llava" });
    expect(() => loadImageGeometry(dir)).toThrow(/of model type "llava" is not known/);
    write("config.json", { model_type: "qwen2_5_vl" });
    expect(loadImageGeometry(dir).family).toBe("qwen-vl");
    write("config.json", {});
    write("preprocessor_config.json", { processor_class: "InternVLProcessor" });
    expect(loadImageGeometry(dir).family).toBe("internvl");
    write("preprocessor_config.json", {});
    expect(() => loadImageGeometry(dir)).toThrow(/has no class name/);
  });

  it("reads InternVL's original release and the joint file of newer ones", () => {
    write("preprocessor_config.json", { crop_size: 448, feature_extractor_type: "CLIPFeatureExtractor", size: 448, ...clip });
    write("config.json", { model_type: "internvl_chat", force_image_size: 448, min_dynamic_patch: 1, max_dynamic_patch: 6, use_thumbnail: true, downsample_ratio: 0.5, vision_config: { image_size: 448, patch_size: 14 } });
    expect(loadImageGeometry(dir).plan({ width: 4032, height: 4000 })).toMatchObject({ grid: { t: 5 }, tokenCount: 1280 });
    expect(loadImageGeometry(dir).plan({ width: 600, height: 400 })).toMatchObject({ grid: { t: 7 }, resized: { width: 1344, height: 896 } });
    rmSync(join(dir, "preprocessor_config.json"));
    write("processor_config.json", { image_seq_length: 64, image_processor: { processor_class: "InternVLProcessor", size: { height: 448, width: 448 }, ...clip } });
    expect(loadImageGeometry(dir).plan({ width: 600, height: 400 })).toMatchObject({ tokenCount: 7 * 64 });
  });

  it("says what to send where a bound changes what a server would make of an image", () => {
    const folder = join(fixtures, "qwen2.5-vl");
    const own = loadImageGeometry(folder);
    const limited = loadImageGeometry(folder, { maxPixels: 802816 });
    const large = { width: 2048, height: 1536 };
    const plan = limited.plan(large);
    expect(plan.tokenCount).toBeLessThan(own.plan(large).tokenCount);
    expect(plan.sendAs).toEqual(plan.resized);
    // A server with the checkpoint's own bounds leaves an image of that size as it is.
    expect(own.plan(plan.resized)).toEqual({ grid: plan.grid, tokenCount: plan.tokenCount, resized: plan.resized });
    expect(limited.plan({ width: 400, height: 300 })).toEqual(own.plan({ width: 400, height: 300 }));
  });

  it("refuses bounds that fit nothing or belong to the other family", () => {
    const qwen = join(fixtures, "qwen3-vl");
    expect(() => loadImageGeometry(qwen, { maxPixels: 100 })).toThrow(/images\.maxPixels/);
    expect(() => loadImageGeometry(qwen, { maxTiles: 4 })).toThrow(/images\.maxTiles is 4, but Qwen-VL has no tiles/);
    const intern = join(fixtures, "internvl3");
    const few = loadImageGeometry(intern, { maxTiles: 4 });
    expect(few.plan({ width: 4032, height: 1000 })).toEqual(loadImageGeometry(intern).plan({ width: 4032, height: 1000 }));
    // A canvas of whole tiles is cut into just these by the checkpoint's own bound.
    expect(few.plan({ width: 4032, height: 3024 })).toMatchObject({ grid: { t: 5 }, tokenCount: 1280, sendAs: { width: 896, height: 896 } });
    const many = loadImageGeometry(intern, { maxTiles: 24 });
    expect(many.plan({ width: 4500, height: 3000 }).unsendable).toMatch(/make 6400 tokens of it, but a server .* makes 1792/);
    expect(() => loadImageGeometry(intern, { maxPixels: 100 })).toThrow(/images\.maxPixels is 100, but InternVL/);
    expect(() => loadImageGeometry(intern, { maxTiles: 0 })).toThrow(UserError);
  });
});

describe("InternVL's tiles", () => {
  const bounds = { tileSize: 448, minTiles: 1, maxTiles: 12 };

  it("take the nearest aspect ratio; of equals more where the image has the pixels for them", () => {
    expect(tileGrid({ width: 300, height: 300 }, bounds)).toEqual({ columns: 1, rows: 1 });
    // 2×2 wins over 1×1 from half of its pixels on.
    expect(tileGrid({ width: 634, height: 634 }, bounds)).toEqual({ columns: 2, rows: 2 });
    expect(tileGrid({ width: 633, height: 633 }, bounds)).toEqual({ columns: 1, rows: 1 });
    expect(tileGrid({ width: 90000, height: 10 }, bounds)).toEqual({ columns: 12, rows: 1 });
    expect(tileGrid({ width: 10, height: 90000 }, bounds)).toEqual({ columns: 1, rows: 12 });
    expect(tileGrid({ width: 100, height: 100 }, { ...bounds, minTiles: 4 })).toEqual({ columns: 2, rows: 2 });
  });

  it("are as the file says, whatever else of a processor stands in it; nonsense is named", () => {
    const config = parseInternVLConfig({ size: { height: 224, width: 224 }, min_patches: 2, max_patches: 3, ...clip }, {}, "p.json");
    expect(config).toMatchObject({ tileSize: 224, patchSize: 14, minTiles: 2, maxTiles: 3, tokensPerTile: 64, thumbnail: true });
    const whole = {
      ...{ image_processor_type: "GotOcr2ImageProcessorFast", processor_class: "InternVLProcessor", resample: 3, rescale_factor: 1 / 255 },
      ...{ do_convert_rgb: true, do_resize: true, do_rescale: true, do_normalize: true },
      ...{ size: { height: 224, width: 224 }, min_patches: 2, max_patches: 3, ...clip },
    };
    expect(parseInternVLConfig(whole, {}, "p.json")).toEqual(config);
    const bad = (json: JsonObject): (() => unknown) => () => parseInternVLConfig(json, {}, "p.json");
    expect(bad({ size: { height: 448, width: 224 } })).toThrow(/not square/);
    expect(bad({ min_patches: 5, max_patches: 4 })).toThrow(/at most 4 tiles is less than the least \(5\)/);
    expect(bad({ max_patches: "12" })).toThrow(/"max_patches" is "12"/);
    expect(bad({ do_rescale: false })).toThrow(/"do_rescale"/);
  });
});

import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../util/errors.js";
import { isRecord, type JsonObject, readJsonObject } from "../util/json-file.js";
import { KEEP } from "./config-values.js";
import type { ImageFamily, ImageGeometry, ImageLimits } from "./geometry.js";
import { internVLGeometry, parseInternVLConfig } from "./internvl.js";
import { checkBounds, parseImageConfig, qwenGeometry } from "./qwen-vl.js";

/** By model_type of config.json; the processor's class decides for others. */
const FAMILIES: Readonly<Record<string, ImageFamily>> = {
  qwen2_vl: "qwen-vl",
  qwen2_5_vl: "qwen-vl",
  qwen3_vl: "qwen-vl",
  qwen3_vl_moe: "qwen-vl",
  internvl: "internvl",
  internvl_chat: "internvl",
};

/**
 * Image pre-processing of a model folder, from preprocessor_config.json (or the newer processor_config.json) and
 * config.json, with a user's own bounds in place of the checkpoint's.
 * @throws UserError naming file and key, or the bound that the family does not have.
 */
export function loadImageGeometry(dir: string, limits: ImageLimits = {}): ImageGeometry {
  const { json, joint, source } = readImageProcessor(dir);
  const modelPath = join(dir, "config.json");
  const model = existsSync(modelPath) ? readJsonObject(modelPath, KEEP) : {};
  switch (familyOf(json, joint, model, source)) {
    case "qwen-vl": {
      refuse(limits, "maxTiles", "Qwen-VL has no tiles: bound its images with images.maxPixels.");
      const config = parseImageConfig(json, source);
      const { minPixels = config.minPixels, maxPixels = config.maxPixels } = limits;
      const own = qwenGeometry(config);
      if (minPixels === config.minPixels && maxPixels === config.maxPixels) return own;
      return bounded(qwenGeometry(checkBounds({ ...config, minPixels, maxPixels }, `images.minPixels, images.maxPixels or ${source}`)), own);
    }
    case "internvl": {
      for (const key of ["minPixels", "maxPixels"] as const) refuse(limits, key, "InternVL cuts images into tiles: bound them with images.maxTiles.");
      const read = (settings: JsonObject): ImageGeometry => internVLGeometry(parseInternVLConfig(settings, model, source, joint.image_seq_length));
      return limits.maxTiles === undefined ? read(json) : bounded(read({ ...json, max_patches: limits.maxTiles }), read(json));
    }
  }
}

/** Says of each image that the bounds change what a server would make of it, and how to have the server agree. */
function bounded(geometry: ImageGeometry, own: ImageGeometry): ImageGeometry {
  return {
    ...geometry,
    plan: (size, source) => {
      const plan = geometry.plan(size, source);
      if (own.plan(size, source).tokenCount === plan.tokenCount) return plan;
      const made = own.plan(plan.resized, source).tokenCount;
      if (made === plan.tokenCount) return { ...plan, sendAs: plan.resized };
      const unsendable = `the bounds under images make ${plan.tokenCount} tokens of it, but a server with the checkpoint's own makes ${made}`;
      return { ...plan, unsendable };
    },
  };
}

/** The image part, the whole processor_config.json around it (empty where there is none), and what to call it. */
function readImageProcessor(dir: string): { json: JsonObject; joint: JsonObject; source: string } {
  const path = join(dir, "preprocessor_config.json");
  const jointPath = join(dir, "processor_config.json");
  const joint = existsSync(jointPath) ? readJsonObject(jointPath, KEEP) : {};
  if (!existsSync(path) && isRecord(joint.image_processor)) {
    return { json: joint.image_processor, joint, source: `${jointPath} (image_processor)` };
  }
  return { json: readJsonObject(path, `Give a vision-language model's folder. ${KEEP}`), joint, source: path };
}

function familyOf(json: JsonObject, joint: JsonObject, model: JsonObject, source: string): ImageFamily {
  const type = typeof model.model_type === "string" ? model.model_type : "";
  if (Object.hasOwn(FAMILIES, type)) return FAMILIES[type];
  const classes = [json.image_processor_type, json.processor_class, joint.processor_class].filter((name) => typeof name === "string").join(" ");
  if (/Qwen(2|2_5|3)VL/.test(classes)) return "qwen-vl";
  if (/InternVL|GotOcr2/.test(classes)) return "internvl";
  throw new UserError(
    `${source}: the image processor ${classes === "" ? "has no class name" : `"${classes}"`}${type === "" ? "" : ` of model type "${type}"`} is not known. Qwen2-VL, Qwen2.5-VL, Qwen3-VL and InternVL3 are supported.`,
  );
}

function refuse(limits: ImageLimits, key: keyof ImageLimits, wayOut: string): void {
  if (limits[key] !== undefined) throw new UserError(`images.${key} is ${limits[key]}, but ${wayOut}`);
}

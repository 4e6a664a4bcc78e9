import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { BertScorer } from "../../../rewards/bert-score.js";
import { UserError } from "../../../util/errors.js";
import { BuiltEncoder } from "./built-encoder.js";
import { OnnxEncoder } from "./onnx-encoder.js";
import type { EncoderSettings } from "./settings.js";
import { hasWeights } from "./weights.js";

/** Opens an encoder in this thread. @throws UserError for a path that holds none. */
export async function openScorer(settings: EncoderSettings): Promise<BertScorer> {
  const { path } = settings;
  if (!existsSync(path)) throw new UserError(`encoder: ${path} does not exist; name the folder of a BERT-family encoder, an .onnx file, a model of the hub, or none`);
  if (statSync(path).isFile()) {
    if (!path.endsWith(".onnx")) throw new UserError(`encoder: ${path} is a file, but no .onnx one; name an encoder's folder or an .onnx file`);
    return new BertScorer(await OnnxEncoder.open(settings));
  }
  if (!hasWeights(path)) {
    const onnx = [join(path, "model.onnx"), join(path, "onnx", "model.onnx")].find((file) => existsSync(file));
    if (onnx !== undefined) return new BertScorer(await OnnxEncoder.open({ ...settings, path: onnx, label: settings.label ?? path }));
  }
  return new BertScorer(new BuiltEncoder(settings));
}

/** ONNX Runtime: the dependency, or the copy that scripts/postinstall.mjs made where npm had dropped it. */
import { createRequire } from "node:module";
import type * as onnxruntime from "onnxruntime-node";
import { UserError } from "../../../util/errors.js";

type Ort = typeof onnxruntime;

async function load(): Promise<Ort> {
  try {
    return await import("onnxruntime-node");
  } catch (missing) {
    try {
      return createRequire(new URL("../../../../vendor/package.json", import.meta.url))("onnxruntime-node") as Ort;
    } catch {
      if ((missing as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw missing;
      throw new UserError(
        "the local engine needs ONNX Runtime, which is not installed: its own install script downloads CUDA libraries, and npm leaves the package out when that fails. " +
          "Install it without that download: npm install onnxruntime-node@1.30.0 --ignore-scripts",
      );
    }
  }
}

export const ort = await load();

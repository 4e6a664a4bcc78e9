/** Entry `breakwater/engine`: loads ONNX Runtime. */
export type * from "./engine.js";
export { openBertScore, type EncoderOptions, type OpenedEncoder } from "./local/bert/scorer.js";
export { createLocalEngine, type LocalEngineOptions } from "./local/index.js";
export { createTinkerEngine, type TinkerEngineOptions } from "./tinker/index.js";

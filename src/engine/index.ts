/** Entry `breakwater/engine`: loads ONNX Runtime. */
export type * from "./engine.js";
export { createLocalEngine, type LocalEngineOptions } from "./local/index.js";

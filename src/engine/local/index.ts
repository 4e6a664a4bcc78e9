export { createLocalEngine, type LocalEngineOptions } from "./local-engine.js";

export { createTinkerEngine } from "./open.js";
export type { TinkerEngineOptions } from "./options.js";
export { TinkerEngine } from "./tinker-engine.js";
export { TinkerClient, type ClientOptions, type SampleCall } from "./client.js";
export { TinkerError, type TinkerFault } from "./errors.js";

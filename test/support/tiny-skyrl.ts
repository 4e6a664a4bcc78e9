import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { createTinkerEngine, type TinkerEngine, type TinkerEngineOptions } from "../../src/engine/tinker/index.js";
import { SkyrlServer, writeTextCheckpoint, type ServerOptions } from "./skyrl-server.js";
import { createTinyModel, type TinyModel } from "./tiny-model.js";

export interface TinySkyrl {
  readonly tiny: TinyModel;
  /** The server's, and the decoder of `tiny` in it. */
  readonly folder: string;
  readonly model: string;
  url(): string;
  open(options?: Partial<TinkerEngineOptions>): Promise<TinkerEngine>;
  /** Kills the server and starts it again. */
  restart(): Promise<void>;
}

/** SkyRL's server with a tiny model for the tests of a file: ready before them, killed and removed after them. */
export function tinySkyrl(python: string, patienceSeconds: number, serverOptions: Partial<ServerOptions> = {}): TinySkyrl {
  const tiny = createTinyModel();
  const folder = mkdtempSync(join(tmpdir(), "breakwater-skyrl-"));
  const model = join(folder, "model");
  let server: SkyrlServer;
  const open = (options: Partial<TinkerEngineOptions> = {}): Promise<TinkerEngine> =>
    createTinkerEngine({ baseUrl: server.url, model, loraRank: 4, seed: 1, patienceSeconds, ...options });
  beforeAll(async () => {
    writeTextCheckpoint(python, tiny.folder, model);
    server = await SkyrlServer.start({ python, model, folder, quickCompile: true, ...serverOptions });
    // The first passes compile; on a machine with other work that takes minutes.
    await (await open()).close();
  }, 600_000);
  afterAll(async () => {
    await server.kill();
    tiny.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  const restart = async (): Promise<void> => {
    await server.kill();
    server = await server.restart();
  };
  return { tiny, folder, model, url: () => server.url, open, restart };
}

/** Saving: on the server under a new name, here where it lies and, where it can be downloaded, the adapter itself. */
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { COMPANION_FILES } from "../../checkpoints/hf-folder.js";
import { unpackAdapter } from "./archive.js";
import type { Pending } from "./client.js";
import { TinkerError } from "./errors.js";
import { type Manifest, writeManifest } from "./manifest.js";
import type { Model, Start, TinkerSession } from "./session.js";

/** What makes a folder of weights a model that can be named as the next run's start. */
const companions = ["config.json", "added_tokens.json", "video_preprocessor_config.json", ...COMPANION_FILES];

export class SavedWeights {
  /** @param folder the model's own folder: tokenizer and configuration come from there. */
  constructor(
    private readonly session: TinkerSession,
    private readonly folder: string,
    private readonly options: { readonly download: boolean; readonly log: (line: string) => void },
  ) {}

  async save(model: Model, dir: string, what: "weights" | "state", { baseModel, rank }: Start, optimizerSteps: number): Promise<Manifest> {
    const { client } = this.session;
    const state = await this.named((name) => this.session.submit(model, (seq) => client.saveWeights(model.id, seq, name)));
    let sampler: string | null = null;
    const adapter = rank > 0 && this.options.download;
    if (adapter || what === "weights") {
      sampler = (await this.named((name) => this.session.submit(model, (seq) => client.saveForSampler(model.id, seq, { name })))).path ?? null;
    }
    // Whole models stay on the server: they are many gigabytes.
    if (sampler !== null && adapter) await this.download(sampler, dir, baseModel);
    if (what === "weights") {
      for (const name of companions) if (existsSync(join(this.folder, name))) copyFileSync(join(this.folder, name), join(dir, name));
    }
    const manifest: Manifest = { format: 1, what, server: client.address, baseModel, loraRank: rank, state: state.path, sampler, optimizerSteps };
    writeManifest(dir, manifest);
    return manifest;
  }

  /** Saves under a new name; a name that a lost first try has taken is not used again. */
  private async named<T>(save: (name: string) => Promise<Pending<T>>): Promise<T> {
    try {
      return await (await save(this.session.newName())).result();
    } catch (error) {
      if (!(error instanceof TinkerError) || error.status !== 409) throw error;
      return (await save(this.session.newName())).result();
    }
  }

  private async download(path: string, dir: string, baseModel: string): Promise<void> {
    try {
      unpackAdapter(await this.session.client.downloadArchive(path), dir, baseModel);
    } catch (error) {
      if (!(error instanceof TinkerError) || error.fault !== "rejected") throw error;
      this.options.log(`the adapter stays on the server (${path}): ${error.message}`);
    }
  }
}

/** A BERT-family encoder from a Hugging Face folder, as a graph of ours. */
import { join } from "node:path";
import type { TokenEmbeddings, TokenEncoder } from "../../../rewards/bert-score.js";
import { UserError } from "../../../util/errors.js";
import { readJsonObject } from "../../../util/json-file.js";
import { Sessions } from "../runtime/sessions.js";
import { batchFeeds, textBatches } from "./batches.js";
import { parseBertConfig, type BertConfig } from "./config.js";
import { bertGraph } from "./graph.js";
import { chooseLayer, encoderName, type EncoderSettings } from "./settings.js";
import { TextTokens } from "./tokens.js";
import { readBertWeights } from "./weights.js";

export class BuiltEncoder implements TokenEncoder {
  readonly name: string;
  private readonly config: BertConfig;
  private readonly layer: number;
  private readonly longest: number;
  private readonly weights: ReadonlyMap<string, Float32Array>;
  private readonly tokens: TextTokens;
  private readonly sessions: Sessions;

  /** @param settings.path a folder with config.json, a tokenizer and weights. */
  constructor(settings: EncoderSettings) {
    const { path, threads, provider } = settings;
    const configPath = join(path, "config.json");
    this.config = parseBertConfig(readJsonObject(configPath, "Name the folder of a BERT-family encoder, or none."), configPath);
    this.layer = chooseLayer(settings.layer, this.config.depth, path);
    this.longest = this.config.positions - this.config.firstPosition;
    this.tokens = new TextTokens(path, this.longest);
    this.weights = readBertWeights(path, this.config, this.layer);
    this.sessions = new Sessions({ threads, provider });
    this.name = encoderName(settings, this.layer);
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<TokenEmbeddings[]> {
    const { width, vocabulary, padding } = this.config;
    const encoded = texts.map((text) => this.tokens.encode(text));
    const tooHigh = encoded.flatMap(({ ids }) => ids).find((id) => id >= vocabulary);
    if (tooHigh !== undefined) throw new UserError(`${this.tokens.folder}: the tokenizer gives the id ${tooHigh}, the embedding has ${vocabulary} rows; files of two encoders are mixed`);
    const out: TokenEmbeddings[] = [];
    for (const batch of textBatches(encoded, this.longest)) {
      signal?.throwIfAborted();
      const { rows, tokens } = batch.shape;
      const graph = await this.sessions.get(`${rows}x${tokens}`, () => bertGraph(this.config, this.layer, batch.shape));
      const { ids, mask } = batchFeeds(encoded, batch, padding);
      const { hidden } = await graph.run(({ name }) => (name === "ids" ? ids : name === "mask" ? mask : this.weight(name)));
      batch.texts.forEach((text, row) => {
        const { counts } = encoded[text];
        const from = row * tokens * width;
        out[text] = { vectors: (hidden as Float32Array).slice(from, from + counts.length * width), width, counts };
      });
    }
    return out;
  }

  close(): Promise<void> {
    return this.sessions.close();
  }

  private weight(name: string): Float32Array {
    const weight = this.weights.get(name);
    if (weight === undefined) throw new Error(`no tensor ${name}`);
    return weight;
  }
}

/** An encoder exported to ONNX (by optimum, or transformers.js's own exports), with its tokenizer beside it. */
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { TokenEmbeddings, TokenEncoder } from "../../../rewards/bert-score.js";
import { messageOf, UserError } from "../../../util/errors.js";
import { readJsonObject } from "../../../util/json-file.js";
import { ort } from "../runtime/ort.js";
import { batchFeeds, textBatches } from "./batches.js";
import { encoderName, type EncoderSettings } from "./settings.js";
import { TextTokens } from "./tokens.js";

const known = ["input_ids", "attention_mask", "token_type_ids"];

export class OnnxEncoder implements TokenEncoder {
  private constructor(
    readonly name: string,
    private readonly session: InferenceSession,
    private readonly output: string,
    private readonly tokens: TextTokens,
    private readonly longest: number,
    private readonly padding: number,
  ) {}

  static async open(settings: EncoderSettings): Promise<OnnxEncoder> {
    const { path, threads, provider } = settings;
    // Exports for browsers lie in a folder onnx/ below the tokenizer.
    const folder = [dirname(path), dirname(dirname(path))].find((dir) => ["tokenizer.json", "vocab.txt"].some((file) => existsSync(join(dir, file))));
    if (folder === undefined) throw new UserError(`${path}: no tokenizer.json or vocab.txt lies beside it; copy it from the encoder's repository`);
    const session = await ort.InferenceSession.create(path, { executionProviders: [provider], intraOpNumThreads: threads, logSeverityLevel: 3 }).catch((error: unknown) => {
      throw new UserError(`${path} cannot be opened by ONNX Runtime: ${messageOf(error)}`);
    });
    const other = session.inputNames.filter((name) => !known.includes(name));
    if (other.length > 0 || !session.inputNames.includes("input_ids")) {
      throw new UserError(`${path}: its inputs are ${session.inputNames.join(", ")}; an encoder has ${known.join(", ")}`);
    }
    const configPath = join(folder, "config.json");
    const config = existsSync(configPath) ? readJsonObject(configPath, "Copy the file again.") : {};
    const depth = typeof config.num_hidden_layers === "number" ? config.num_hidden_layers : null;
    const { output, layer } = chooseOutput(settings, session.outputNames, depth);
    const padding = typeof config.pad_token_id === "number" ? config.pad_token_id : 0;
    const positions = typeof config.max_position_embeddings === "number" ? config.max_position_embeddings : 512;
    const shifted = /roberta|camembert/.test(String(config.model_type ?? ""));
    const longest = shifted ? positions - padding - 1 : positions;
    const name = layer === null ? `BERTScore of ${settings.label ?? path}, last layer` : encoderName(settings, layer);
    return new OnnxEncoder(name, session, output, new TextTokens(folder, longest), longest, padding);
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<TokenEmbeddings[]> {
    const encoded = texts.map((text) => this.tokens.encode(text));
    const out: TokenEmbeddings[] = [];
    for (const batch of textBatches(encoded, this.longest)) {
      signal?.throwIfAborted();
      const { ids, mask } = batchFeeds(encoded, batch, this.padding);
      const { rows, tokens } = batch.shape;
      const tensor = (data: BigInt64Array): Tensor => new ort.Tensor("int64", data, [rows, tokens]);
      const all: Record<string, Tensor> = {
        input_ids: tensor(ids),
        attention_mask: tensor(BigInt64Array.from(mask, (m) => (m === 0 ? 1n : 0n))),
        token_type_ids: tensor(new BigInt64Array(ids.length)),
      };
      const result = (await this.session.run(Object.fromEntries(this.session.inputNames.map((name) => [name, all[name]])), [this.output]))[this.output];
      const width = result.dims.at(-1) ?? 0;
      if (!(result.data instanceof Float32Array) || result.dims.length !== 3) {
        throw new UserError(`output ${this.output} is ${result.type} of ${result.dims.length} dimensions; an encoder's is float32 [batch, tokens, width]`);
      }
      const { data } = result;
      batch.texts.forEach((text, row) => {
        const { counts } = encoded[text];
        const from = row * tokens * width;
        out[text] = { vectors: data.slice(from, from + counts.length * width), width, counts };
      });
    }
    return out;
  }

  async close(): Promise<void> {
    await this.session.release();
  }
}

/** Hidden states of a layer where the export has them; else the last layer's, which must then be the one asked for. */
function chooseOutput({ path, layer: asked }: EncoderSettings, outputs: readonly string[], depth: number | null): { output: string; layer: number | null } {
  if (asked !== undefined) {
    const named = [`hidden_states.${asked}`, `hidden_states_${asked}`].find((name) => outputs.includes(name));
    if (named !== undefined) return { output: named, layer: asked };
    if (depth !== asked) {
      throw new UserError(`layer ${asked} of ${basename(path)}: its outputs are ${outputs.join(", ")}${depth === null ? "" : ` (the last of ${depth} layers)`}; leave the layer out, or export the hidden states`);
    }
  }
  const last = outputs.find((name) => name === "last_hidden_state") ?? outputs[0];
  return { output: last, layer: depth };
}

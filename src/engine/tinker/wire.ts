/** The request bodies of the Tinker API as plain data, and their JSON form. */

export type WireChunk =
  | { readonly kind: "text"; readonly tokens: readonly number[] }
  | { readonly kind: "image"; readonly data: Uint8Array; readonly format: "png" | "jpeg"; readonly expectedTokens: number };

export interface WireTensor {
  readonly dtype: "float32" | "int64";
  readonly data: readonly number[];
}

/** `inputs`: target_tokens, weights, advantages, logprobs; each as long as the model input. */
export interface WireDatum {
  readonly chunks: readonly WireChunk[];
  readonly inputs: Readonly<Record<string, WireTensor>>;
}

export type LossName = "cross_entropy" | "importance_sampling" | "ppo" | "cispo";

export interface PassRequest {
  readonly modelId: string;
  /** Position among the model's requests, from 1: what a server tells a repetition by. */
  readonly seqId: number;
  readonly forwardOnly: boolean;
  readonly lossName: LossName;
  readonly lossConfig?: Readonly<Record<string, number>>;
  readonly data: readonly WireDatum[];
}

export function chunksJson(chunks: readonly WireChunk[]): object {
  return {
    chunks: chunks.map((chunk) =>
      chunk.kind === "text"
        ? { type: "encoded_text", tokens: chunk.tokens }
        : { type: "image", data: Buffer.from(chunk.data).toString("base64"), format: chunk.format, expected_tokens: chunk.expectedTokens },
    ),
  };
}

export function passJson({ modelId, seqId, forwardOnly, lossName, lossConfig, data }: PassRequest): object {
  const input = {
    loss_fn: lossName,
    ...(lossConfig === undefined ? {} : { loss_fn_config: lossConfig }),
    data: data.map(({ chunks, inputs }) => ({
      model_input: chunksJson(chunks),
      loss_fn_inputs: Object.fromEntries(
        Object.entries(inputs).map(([name, { dtype, data: values }]) => [name, { data: values, dtype, shape: [values.length] }]),
      ),
    })),
  };
  return { model_id: modelId, seq_id: seqId, [forwardOnly ? "forward_input" : "forward_backward_input"]: input };
}

/** Bytes of a datum in the binary form, near enough for the servers' limits. */
export function datumBytes({ chunks, inputs }: WireDatum): number {
  const model = chunks.reduce((sum, chunk) => sum + (chunk.kind === "text" ? 4 * chunk.tokens.length : chunk.data.length), 0);
  return Object.values(inputs).reduce((sum, { dtype, data }) => sum + data.length * (dtype === "int64" ? 8 : 4), model);
}

/** Consecutive parts of at most `maxCount` items and, single items apart, `maxBytes` bytes. */
export function splitBySize<T>(items: readonly T[], bytesOf: (item: T) => number, { maxCount, maxBytes }: { maxCount: number; maxBytes: number }): T[][] {
  const parts: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = bytesOf(item);
    const last = parts.at(-1);
    if (last === undefined || last.length >= maxCount || bytes + size > maxBytes) {
      parts.push([item]);
      bytes = size;
    } else {
      last.push(item);
      bytes += size;
    }
  }
  return parts;
}

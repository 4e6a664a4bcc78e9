/** Forward and forward-backward passes of many data: cut to the server's limits, submitted together, joined again. */
import type { Prompt } from "../../types.js";
import { type ImageFiles, modelInput } from "./chunks.js";
import type { AdamParams, Pending } from "./client.js";
import { TinkerError } from "./errors.js";
import { tensors, type ServerLoss, type TokenTerms } from "./losses.js";
import type { ForwardBackwardOutput, OptimStepOutput } from "./schemas.js";
import type { Model, TinkerSession } from "./session.js";
import { datumBytes, splitBySize, type LossName, type PassRequest, type WireDatum } from "./wire.js";

export interface Row {
  readonly prompt: Prompt;
  readonly completion: readonly number[];
}

/** Prompt and completion tokens of all rows. */
export const tokensOf = (rows: readonly Row[]): number => rows.reduce((sum, { prompt, completion }) => sum + prompt.tokens.length + completion.length, 0);

/** A pass that is under way. Both reject with what it failed with. */
export interface BackwardPass {
  /** Per row, log-probabilities of the completion's tokens. */
  readonly result: () => Promise<number[][]>;
  /** Until a step may be submitted that is to apply this pass: at once on a server that keeps their order. */
  readonly beforeStep: () => Promise<void>;
}

/** Log-probabilities that two passes of the same weights may differ by, nats. */
const sameLogprob = 1e-3;

export class Passes {
  constructor(
    private readonly session: TinkerSession,
    private readonly imageToken: number | null,
    private readonly images: ImageFiles,
  ) {}

  /** Per row, log-probabilities of the completion's tokens under the model. */
  async forward(model: Model, rows: readonly Row[]): Promise<number[][]> {
    const parts = this.split(rows, await this.data(rows, null));
    const pending: Pending<ForwardBackwardOutput>[] = [];
    for (const { data } of parts) {
      pending.push(await this.session.submit(model, (seqId) => this.session.client.pass(this.request(model, seqId, "cross_entropy", data, true))));
    }
    return this.join(parts.map(({ rows: part }) => part), pending);
  }

  /** Adds the gradient of one loss over all rows. Submitted when this returns; `result` waits. */
  async backward(model: Model, rows: readonly Row[], loss: ServerLoss): Promise<BackwardPass> {
    const parts = this.split(rows, await this.data(rows, loss.terms));
    const pending: Pending<ForwardBackwardOutput>[] = [];
    for (const { data, rows: part } of parts) pending.push(await this.submitOnce(model, part, data, loss));
    let joined: Promise<number[][]> | null = null;
    const result = (): Promise<number[][]> => (joined ??= this.join(parts.map(({ rows: part }) => part), pending));
    return { result, beforeStep: async () => void (this.session.client.traits.keepsOrder || (await result())) };
  }

  /** Submits an optimiser step; one whose answer is lost is looked for before it is sent again. */
  async optimStep(model: Model, adam: AdamParams): Promise<Pending<OptimStepOutput>> {
    const { session } = this;
    const send = (): Promise<Pending<OptimStepOutput>> => session.submit(model, (seqId) => session.client.optimStep(model.id, seqId, adam));
    const rate = Math.fround(adam.learning_rate);
    return this.orFind(send, (mark) =>
      session.findLost(
        mark,
        (id) => session.client.pendingStep(id),
        ({ metrics }) => Math.abs(Math.fround(metrics["skyrl.ai/learning_rate"] ?? Number.NaN) - rate) <= 1e-6 * rate,
      ),
    );
  }

  /** The rows' data, each with its loss's terms; null: for log-probabilities only. */
  private data(rows: readonly Row[], terms: readonly TokenTerms[] | null): Promise<WireDatum[]> {
    return Promise.all(
      rows.map(async ({ prompt, completion }, i) => ({
        chunks: await modelInput(prompt, [...prompt.tokens, ...completion.slice(0, -1)], this.imageToken, this.images),
        inputs: tensors(prompt.tokens, completion, terms === null ? null : terms[i]),
      })),
    );
  }

  private split(rows: readonly Row[], data: readonly WireDatum[]): { rows: Row[]; data: WireDatum[] }[] {
    const { maxData, maxBytes } = this.session.client.traits;
    const paired = rows.map((row, i) => ({ row, datum: data[i] }));
    return splitBySize(paired, ({ datum }) => datumBytes(datum), { maxCount: maxData, maxBytes }).map((part) => ({
      rows: part.map(({ row }) => row),
      data: part.map(({ datum }) => datum),
    }));
  }

  private request(model: Model, seqId: number, lossName: LossName, data: readonly WireDatum[], forwardOnly: boolean, lossConfig?: PassRequest["lossConfig"]): PassRequest {
    return { modelId: model.id, seqId, forwardOnly, lossName, lossConfig, data };
  }

  private submitOnce(model: Model, rows: readonly Row[], data: readonly WireDatum[], { name, config }: ServerLoss): Promise<Pending<ForwardBackwardOutput>> {
    const { session } = this;
    const send = (): Promise<Pending<ForwardBackwardOutput>> =>
      session.submit(model, (seqId) => session.client.pass(this.request(model, seqId, name, data, false, config)));
    return this.orFind(send, async (mark) => {
      // A gradient cannot be looked at, but the pass that made it answers with the log-probabilities of just these tokens.
      const logprobs = await this.forward(model, rows);
      return session.findLost(
        mark,
        (id) => session.client.pendingPass(id),
        ({ loss_fn_outputs: outputs }) =>
          outputs.length === rows.length &&
          rows.every(({ completion }, i) => completionOf(outputs[i], completion.length).every((p, t) => Math.abs(p - logprobs[i][t]) < sameLogprob)),
      );
    });
  }

  /** `send`, or what a search finds where its answer was lost; where it never arrived it is sent again. */
  private async orFind<T>(send: () => Promise<Pending<T>>, find: (mark: bigint) => Promise<T | null>): Promise<Pending<T>> {
    const { mark } = this.session;
    for (let attempt = 0; ; attempt++) {
      try {
        return await send();
      } catch (error) {
        if (!(error instanceof TinkerError) || error.fault !== "lost" || mark === null || attempt >= 3) throw error;
        const found = await find(mark);
        if (found !== null) return { requestId: "found", result: () => Promise.resolve(found) };
      }
    }
  }

  private async join(parts: readonly (readonly Row[])[], pending: readonly Pending<ForwardBackwardOutput>[]): Promise<number[][]> {
    const outputs = await Promise.all(pending.map((p) => p.result()));
    return parts.flatMap((rows, k) => {
      const found = outputs[k].loss_fn_outputs;
      if (found.length !== rows.length) throw new TinkerError("rejected", `the server answered with ${found.length} results for ${rows.length} data`);
      return rows.map(({ prompt, completion }, i) => {
        const positions = prompt.tokens.length + completion.length - 1;
        const length = found[i].logprobs?.data.length ?? 0;
        // Servers for text skip image chunks without a word; all that comes after would be about another sequence.
        if (prompt.images.length > 0 && length !== positions) {
          throw new TinkerError("rejected", `a sequence with images has ${positions} positions, the answer ${length}: this server does not take images, or counts their tokens differently`);
        }
        return completionOf(found[i], completion.length);
      });
    });
  }
}

/** The last T log-probabilities of a result; of what cannot be right, NaN. */
function completionOf(output: ForwardBackwardOutput["loss_fn_outputs"][number], length: number): number[] {
  const all = output.logprobs?.data ?? [];
  return length === 0 ? [] : all.length < length ? new Array<number>(length).fill(Number.NaN) : all.slice(-length);
}

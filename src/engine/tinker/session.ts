/** The models of one engine on the server: creating and replacing them, and submitting to them in order. */
import { randomUUID } from "node:crypto";
import { sleep } from "../../util/waiting.js";
import type { Pending, TinkerClient } from "./client.js";
import { TinkerError } from "./errors.js";

export interface Model {
  readonly id: string;
  /** Next sequence number; servers take them without gaps, in order. */
  nextSeq: number;
}

export interface Start {
  readonly baseModel: string;
  readonly rank: number;
  readonly seed: number;
  /** tinker:// path of weights to begin with; null begins with the base model. */
  readonly weights: string | null;
}

export class TinkerSession {
  private sessionId: string | null = null;
  private models = 0;
  private turn: Promise<unknown> = Promise.resolve();
  /** Ids of futures that answered to us; and the largest, where they are numbers. */
  private readonly seen = new Set<string>();
  private largest = 0n;

  constructor(readonly client: TinkerClient) {}

  /** A new model with fresh or loaded weights. */
  async create(start: Start, { optimizer }: { optimizer: boolean }): Promise<Model> {
    const create = async (): Promise<Model> => {
      this.sessionId ??= await this.client.createSession(["breakwater"]);
      const id = await this.client.createModel(this.sessionId, this.models++, start.baseModel, { rank: start.rank, seed: start.seed });
      return { id, nextSeq: 1 };
    };
    let model: Model;
    try {
      model = await create();
    } catch (error) {
      if (!(error instanceof TinkerError) || error.fault !== "gone") throw error;
      this.sessionId = null;
      model = await create();
    }
    if (start.weights !== null) {
      const { weights } = start;
      try {
        await (await this.submit(model, (seq) => this.client.loadWeights(model.id, seq, weights, optimizer))).result();
      } catch (error) {
        await this.discard(model);
        throw error;
      }
    }
    return model;
  }

  /** Frees a model's place on the server; one that is gone is free already. */
  async discard(model: Model): Promise<void> {
    await this.client.unloadModel(model.id).catch(() => undefined);
  }

  /** Submits in the order of the calls: a server without sequence numbers orders by arrival. */
  submit<T>(model: Model, send: (seqId: number) => Promise<Pending<T>>): Promise<Pending<T>> {
    const turn = this.turn.then(async () => {
      const pending = await send(model.nextSeq++);
      this.note(pending.requestId);
      return pending;
    });
    this.turn = turn.catch(() => undefined);
    return turn;
  }

  note(requestId: string): void {
    this.seen.add(requestId);
    if (/^\d+$/.test(requestId) && BigInt(requestId) > this.largest) this.largest = BigInt(requestId);
  }

  /** Where a search for a lost request begins; null where futures are not numbered. */
  get mark(): bigint | null {
    return this.largest > 0n ? this.largest : null;
  }

  /**
   * What became of a request whose answer was lost, on a server that numbers futures and does not know repetitions: the
   * first future after `mark` that is not known to be ours and whose result is `ours`. null: it never arrived.
   */
  async findLost<T>(mark: bigint, read: (requestId: string) => Pending<T>, ours: (result: T) => boolean): Promise<T | null> {
    for (let id = mark + 1n, misses = 0; ; ) {
      const requestId = String(id);
      if (this.seen.has(requestId)) {
        id++;
        continue;
      }
      try {
        const result = await read(requestId).result();
        if (ours(result)) {
          this.note(requestId);
          return result;
        }
      } catch (error) {
        if (!(error instanceof TinkerError)) throw error;
        if (error.fault === "gone" && error.status === 404) {
          // It may still be on its way through the server.
          if (++misses > 3) return null;
          await sleep(300);
          continue;
        }
        if (error.fault === "unavailable") throw error;
      }
      id++;
    }
  }

  /** A name for saved weights that no other has. */
  newName(): string {
    return `breakwater-${randomUUID().slice(0, 12)}`;
  }

  async close(models: readonly Model[]): Promise<void> {
    await Promise.all(models.map((model) => this.discard(model)));
    this.client.close();
  }
}

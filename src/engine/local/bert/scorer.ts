/** BERTScore by an encoder that runs in a thread of its own: `session.run` blocks the event loop of its thread. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { AnswerPair, BertScoreEncoder } from "../../../rewards/answer.js";
import { UserError } from "../../../util/errors.js";
import { openScorer } from "./open-encoder.js";
import type { EncoderSettings } from "./settings.js";
import type { EncoderCall, EncoderReply } from "./worker.js";

export interface EncoderOptions {
  /** A Hugging Face folder (config.json, tokenizer.json or vocab.txt, safetensors or pytorch_model.bin), or an .onnx file. */
  readonly path: string;
  /** Name for people and records; the path where not given. */
  readonly label?: string;
  /** Block whose output is compared, from 1; 12 (or the last of a smaller encoder) where not given. */
  readonly layer?: number;
  /** ONNX Runtime threads; half of the cores where not given. */
  readonly threads?: number;
  /** ONNX Runtime execution provider: cpu, cuda, webgpu. */
  readonly device?: string;
  /** false runs in the calling thread. */
  readonly worker?: boolean;
}

/** An encoder that can be closed. */
export interface OpenedEncoder extends BertScoreEncoder {
  close(): Promise<void>;
}

/** Opens an encoder for BERTScore. @throws UserError for a path that holds none, or one that is not BERT's kin. */
export async function openBertScore({ path, label, layer, threads, device = "cpu", worker = true }: EncoderOptions): Promise<OpenedEncoder> {
  const settings: EncoderSettings = { path, label, layer, threads: threads ?? Math.max(1, Math.floor(availableParallelism() / 2)), provider: device };
  return worker ? WorkerScorer.open(settings) : openScorer(settings);
}

/** Pairs of one message: between two an aborted call ends. */
const pairsPerCall = 256;

class WorkerScorer implements OpenedEncoder {
  name = "";
  private readonly pending = new Map<number, { resolve: (value: number[] | string) => void; reject: (error: Error) => void }>();
  private nextId = 0;
  private failure: Error | null = null;

  private constructor(private readonly worker: Worker) {
    worker.on("message", (reply: EncoderReply) => {
      const call = this.pending.get(reply.id);
      this.pending.delete(reply.id);
      if ("error" in reply) call?.reject(revive(reply.error));
      else call?.resolve(reply.result);
    });
    const fail = (error: Error): void => {
      this.failure = error;
      for (const call of this.pending.values()) call.reject(error);
      this.pending.clear();
    };
    worker.on("error", fail);
    worker.on("exit", (code) => fail(new Error(`the encoder's thread ended with code ${code}`)));
    worker.unref();
  }

  static async open(settings: EncoderSettings): Promise<WorkerScorer> {
    const scorer = new WorkerScorer(new Worker(new URL("./worker.js", import.meta.url), { workerData: settings }));
    try {
      scorer.name = String(await scorer.call("name"));
      return scorer;
    } catch (error) {
      await scorer.close();
      throw error;
    }
  }

  async f1(pairs: readonly AnswerPair[], signal?: AbortSignal): Promise<number[]> {
    const values: number[] = [];
    for (let from = 0; from < pairs.length; from += pairsPerCall) {
      signal?.throwIfAborted();
      const result = await this.call(pairs.slice(from, from + pairsPerCall).map(({ answer, gold }) => ({ answer, gold })));
      if (Array.isArray(result)) values.push(...result);
    }
    return values;
  }

  async close(): Promise<void> {
    this.worker.removeAllListeners("exit");
    this.failure ??= new Error(`${this.name} is closed`);
    await this.worker.terminate();
  }

  private call(pairs: EncoderCall["pairs"]): Promise<number[] | string> {
    if (this.failure) return Promise.reject(this.failure);
    const id = this.nextId++;
    // An idle encoder does not keep the process alive; a call in progress does.
    this.worker.ref();
    return new Promise<number[] | string>((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.worker.postMessage({ id, pairs } satisfies EncoderCall);
    }).finally(() => {
      if (this.pending.size === 0) this.worker.unref();
    });
  }
}

function revive({ name, message, stack }: { name: string; message: string; stack?: string }): Error {
  const error = name === "UserError" ? new UserError(message) : new Error(message);
  error.stack = stack;
  return error;
}

import { Worker } from "node:worker_threads";
import { UserError } from "../../../util/errors.js";
import type { LossSpec, SampledSequence, SampleRequest, SamplingParams } from "../../engine.js";
import type { LossSums } from "./model.js";
import type { Replica, ReplicaSetup, Share } from "./replica.js";
import type { Answer, Call } from "./worker.js";

/** A replica in a worker thread. */
export class WorkerReplica implements Replica {
  private readonly worker: Worker;
  private readonly pending = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  private nextId = 0;
  private failure: Error | null = null;

  constructor(setup: ReplicaSetup) {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: setup });
    this.worker.on("message", (answer: Answer) => {
      const call = this.pending.get(answer.id);
      this.pending.delete(answer.id);
      if (!call) return;
      if ("error" in answer) call.reject(revive(answer.error));
      else call.resolve(answer.result as never);
    });
    const fail = (error: Error): void => {
      this.failure = error;
      for (const call of this.pending.values()) call.reject(error);
      this.pending.clear();
    };
    this.worker.on("error", fail);
    this.worker.on("exit", (code) => fail(new Error(`an engine worker thread ended with code ${code}`)));
    // An idle engine does not keep the process alive; a call in progress does.
    this.worker.unref();
  }

  private call<T>(method: Call["method"], ...args: readonly unknown[]): Promise<T> {
    if (this.failure) return Promise.reject(this.failure);
    const id = this.nextId++;
    this.worker.ref();
    return new Promise<T>((resolve, reject) => {
      this.pending.set(id, { resolve: resolve, reject });
      this.worker.postMessage({ id, method, args } satisfies Call);
    }).finally(() => {
      if (this.pending.size === 0) this.worker.unref();
    });
  }

  takeWeights(weights: Float32Array, asReference: boolean): Promise<void> {
    return this.call("takeWeights", weights, asReference);
  }

  logprobs(share: Share, options: { useReference: boolean; temperature: number }): Promise<(number[] | null)[]> {
    return this.call("logprobs", share, options);
  }

  accumulate(share: Share, loss: LossSpec): Promise<LossSums> {
    return this.call("accumulate", share, loss);
  }

  takeGradient(lane: number, into: Float32Array): Promise<void> {
    return this.call("takeGradient", lane, into);
  }

  sample(requests: readonly SampleRequest[], params: SamplingParams): Promise<SampledSequence[][]> {
    return this.call("sample", requests, params);
  }

  abort(): void {
    this.worker.postMessage({ id: -1, method: "abort", args: [] } satisfies Call);
  }

  async close(): Promise<void> {
    if (this.failure) return;
    await this.call("close");
    this.worker.removeAllListeners("exit");
    await this.worker.terminate();
  }
}

function revive({ name, message, stack }: { name: string; message: string; stack?: string }): Error {
  const error = name === "UserError" ? new UserError(message) : new Error(message);
  error.stack = stack;
  return error;
}

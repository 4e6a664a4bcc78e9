/** Body of a worker thread: one replica, called by messages. */
import { parentPort, workerData } from "node:worker_threads";
import { LocalReplica, type Replica, type ReplicaSetup } from "./replica.js";

/** A call by name; the answer carries the same id. */
export interface Call {
  readonly id: number;
  readonly method: Exclude<keyof Replica, "abort"> | "abort";
  readonly args: readonly unknown[];
}

export type Answer = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: { name: string; message: string; stack?: string } };

const port = parentPort;
if (port) {
  const replica = new LocalReplica(workerData as ReplicaSetup);
  // Calls run one after another in the order in which they came; abort overtakes them.
  let last: Promise<unknown> = Promise.resolve();
  port.on("message", (call: Call) => {
    if (call.method === "abort") {
      replica.abort();
      return;
    }
    const method = replica[call.method].bind(replica) as (...args: readonly unknown[]) => Promise<unknown>;
    last = last
      .then(() => method(...call.args))
      .then(
        (result) => port.postMessage({ id: call.id, result } satisfies Answer),
        (error: unknown) => {
          const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
          port.postMessage({ id: call.id, error: { name, message, stack } } satisfies Answer);
        },
      );
  });
}

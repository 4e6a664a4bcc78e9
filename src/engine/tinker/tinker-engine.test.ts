/** The order of requests and what a failed pass leaves behind, against a server that gives the answers it is told to. */
import { afterAll, describe, expect, it } from "vitest";
import { oldServer, serverOf, type Reply } from "../../../test/support/scripted-server.js";
import { createTinyModel } from "../../../test/support/tiny-model.js";
import { createTinkerEngine } from "./open.js";

const tiny = createTinyModel();
afterAll(() => tiny.remove());

const adamW = { learningRate: 0.5, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, maxGradNorm: 0 };
const datum = { prompt: { tokens: [1, 2], images: [] }, completion: [3], weights: [1] };
const created: Reply = { json: { model_id: "m" } };
const passed: Reply = { json: { loss_fn_outputs: [{ logprobs: { data: [-1, -2] } }] } };
const stepped: Reply = { json: { metrics: { "skyrl.ai/grad_norm": 2 } } };
const failed: Reply = { status: 400, json: { detail: "out of memory" } };

/** An engine on a server whose futures end as told; `paths` are the requests since it was opened. */
async function engineOn(futures: readonly Reply[], openapi?: unknown, loss: "exact" | "fused" = "exact") {
  const future: Reply[] = [{ json: { request_id: "9" } }];
  const server = await serverOf(
    {
      get_server_capabilities: [{ json: { supported_models: [{ model_name: "b" }] } }],
      create_session: [{ json: { session_id: "s" } }],
      session_heartbeat: [{ json: {} }],
      unload_model: [{ json: {} }],
      ...{ create_model: future, forward: future, forward_backward: future, optim_step: future },
      retrieve_future: [created, ...futures],
    },
    openapi,
  );
  const engine = await createTinkerEngine({ baseUrl: server.url, model: tiny.folder, loraRank: 4, seed: 1, loss, reduction: "sum", wire: "json", patienceSeconds: 2 });
  const before = server.seen.length;
  return { engine, paths: () => server.seen.slice(before).map(({ path }) => path) };
}

describe("a step after its pass", () => {
  it("is submitted once the pass has ended, on a server that may run it first", async () => {
    const { engine, paths } = await engineOn([passed, passed, stepped], oldServer);
    await engine.forwardBackward([datum], { kind: "cross_entropy" });
    expect(await engine.optimStep(adamW)).toEqual({ gradNorm: 2 });
    expect(paths()).toEqual(["forward", "retrieve_future", "forward_backward", "retrieve_future", "optim_step", "retrieve_future"]);
  });

  it("is under way beside it on one that keeps their order", async () => {
    const { engine, paths } = await engineOn([passed, passed, stepped]);
    await engine.forwardBackward([datum], { kind: "cross_entropy" });
    expect(await engine.optimStep(adamW)).toEqual({ gradNorm: 2 });
    expect(paths()).toEqual(["forward", "retrieve_future", "forward_backward", "optim_step", "retrieve_future", "retrieve_future"]);
  });
});

describe("a pass that fails", () => {
  it("is never stepped on, and what it left is not in the next step", async () => {
    const { engine, paths } = await engineOn([passed, failed, passed, created, stepped, passed, stepped, passed, failed, passed], oldServer);
    const update = async () => {
      await engine.forwardBackward([datum], { kind: "cross_entropy" });
      return engine.optimStep(adamW);
    };
    await expect(update()).rejects.toThrow(/out of memory/);
    expect(paths()).not.toContain("optim_step");
    // Nothing had been stepped: the model is made anew, its old place cleared by a step of size 0.
    expect(await update()).toEqual({ gradNorm: 2 });
    expect(paths().filter((path) => path !== "retrieve_future").slice(2)).toEqual(["forward", "create_model", "optim_step", "unload_model", "forward_backward", "optim_step"]);
    // With an update that is not saved it cannot be.
    await expect(update()).rejects.toThrow(/out of memory.*The 1 update since the last saved state/s);
    await expect(update()).rejects.toThrow(/a gradient of a batch that failed is left on the server.*--resume/s);
    expect(paths().filter((path) => path === "optim_step")).toHaveLength(2);
  });
});

describe("a gradient that is not finite, of a pass that was sent before this was known", () => {
  const policy = { kind: "policy", epsLow: 0.2, epsHigh: 0.2, klCoef: 0, temperature: 1 } as const;
  const after = (logprob: number) => ({ ...datum, advantages: [-1], logprobs: [logprob] });

  it("is dropped with the model where nothing is lost with it, and is never stepped on", async () => {
    const { engine, paths } = await engineOn([passed, created, stepped, passed, stepped, passed], undefined, "fused");
    const update = async (logprob: number) => {
      await engine.forwardBackward([after(logprob)], policy);
      return engine.optimStep(adamW);
    };
    await expect(update(-800)).rejects.toThrow(/not finite: weights and moments were left as they were/);
    expect(paths().filter((path) => path !== "retrieve_future")).toEqual(["forward_backward", "create_model", "optim_step", "unload_model"]);
    expect(await update(-2)).toEqual({ gradNorm: 2 });
    // An update that is not saved would be lost with the model: the run is to go on from its saved state.
    for (let i = 0; i < 2; i++) await expect(update(-800)).rejects.toThrow(/a gradient that is not finite is left on the server.*--resume.*The 1 update since/s);
    expect(paths().filter((path) => path === "optim_step")).toHaveLength(2);
  });
});

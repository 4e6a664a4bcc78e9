/** Retries, repetitions and secrets, against servers of a few lines that misbehave in one way each. */
import { describe, expect, it } from "vitest";
import { newServer, oldServer, serverOf, type Reply } from "../../../test/support/scripted-server.js";
import { TinkerClient } from "./client.js";
import { TinkerError } from "./errors.js";
import { encodePass } from "./proto.js";
import { TinkerSession } from "./session.js";
import type { PassRequest } from "./wire.js";
import { openZstd } from "./zstd.js";

const key = "tml-secret-0123456789";
const connect = (baseUrl: string, patienceSeconds = 5) =>
  TinkerClient.connect({ baseUrl, apiKey: key, patienceSeconds, timeoutSeconds: 5, pollSeconds: 5, wire: "auto", sdkVersion: "1" });

const adam = { learning_rate: 0.5, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay: 0, grad_clip_norm: 1 };
const pass: PassRequest = {
  modelId: "m", seqId: 3, forwardOnly: false, lossName: "cross_entropy",
  data: [{ chunks: [{ kind: "text", tokens: [1, 2] }], inputs: { target_tokens: { dtype: "int64", data: [2, 3] }, weights: { dtype: "float32", data: [0, 1] } } }],
};

describe("what a server is", () => {
  it("is read from its own description", async () => {
    const [old, recent, hosted] = await Promise.all([serverOf({}, oldServer), serverOf({}, newServer), serverOf({ "client/config": [{ json: { fwdbwd_max_chunk_len: 7 } }] })]);
    expect((await connect(old.url)).traits).toMatchObject({ dedup: false, protobuf: false, clipsGradient: false, maxData: 1024 });
    expect((await connect(recent.url)).traits).toMatchObject({ dedup: true, protobuf: true, zstd: true });
    expect((await connect(hosted.url)).traits).toMatchObject({ dedup: true, protobuf: true, zstd: false, clipsGradient: true, maxData: 7 });
  });
});

describe("waiting and trying again", () => {
  it("polls through 408 and try-again answers, and takes a future's failure as final", async () => {
    const polls: Reply[] = [{ status: 408, json: { detail: "Timeout" } }, { json: { type: "try_again", request_id: "9", queue_state: "active" } }, { json: { metrics: { "skyrl.ai/grad_norm": 2 } } }];
    const { url } = await serverOf({ optim_step: [{ json: { request_id: 9 } }], retrieve_future: polls }, oldServer);
    const client = await connect(url);
    expect(await (await client.optimStep("m", 1, adam)).result()).toEqual({ metrics: { "skyrl.ai/grad_norm": 2 } });

    const failing = await serverOf({ optim_step: [{ json: { request_id: "9" } }], retrieve_future: [{ status: 400, json: { detail: "Model m not loaded" } }] }, oldServer);
    const step = await (await connect(failing.url)).optimStep("m", 1, adam);
    await expect(step.result()).rejects.toMatchObject({ fault: "gone" });
  });

  it("waits out 429 and 503 for every request, and other 5xx for those that change nothing", async () => {
    const busy: Reply[] = [{ status: 429, json: { detail: "slow down" } }, { status: 503, json: {} }, { json: { request_id: "1" } }];
    const { url, seen } = await serverOf({ optim_step: busy }, oldServer);
    expect((await (await connect(url)).optimStep("m", 1, adam)).requestId).toBe("1");
    expect(seen.filter(({ path }) => path === "optim_step")).toHaveLength(3);

    const broken = await serverOf({ optim_step: [{ status: 502, json: {} }], forward: [{ status: 502, json: {} }, { json: { request_id: "2" } }] }, oldServer);
    const client = await connect(broken.url);
    await expect(client.optimStep("m", 1, adam)).rejects.toMatchObject({ status: 502 });
    expect(broken.seen.filter(({ path }) => path === "optim_step")).toHaveLength(1);
    expect((await client.pass({ ...pass, forwardOnly: true })).requestId).toBe("2");
  });

  it("ends when it is told to", async () => {
    const { url } = await serverOf({ asample: [{ json: { request_id: "1" } }], retrieve_future: [{ status: 408, json: {} }] }, oldServer);
    const client = await connect(url);
    const controller = new AbortController();
    const reason = new Error("enough");
    const call = { from: { baseModel: "b" }, prompt: [], samples: 1, seed: 0, maxTokens: 1, temperature: 1, topP: 1, topK: -1, stop: [], promptLogprobs: false };
    const running = (await client.sample(call)).result(controller.signal);
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
  });
});

describe("a request whose answer is lost", () => {
  it("is sent again with its number where the server knows repetitions", async () => {
    const { url, seen } = await serverOf({ optim_step: ["hang up", { json: { request_id: "5" } }] }, newServer);
    await (await connect(url)).optimStep("m", 12, adam);
    const sent = seen.filter(({ path }) => path === "optim_step").map(({ body }) => JSON.parse(body.toString()) as { seq_id: number });
    expect(sent.map(({ seq_id }) => seq_id)).toEqual([12, 12]);
  });

  it("is not sent again where it does not, but reported", async () => {
    const { url, seen } = await serverOf({ optim_step: ["hang up"], forward_backward: ["hang up"] }, oldServer);
    const client = await connect(url);
    await expect(client.optimStep("m", 1, adam)).rejects.toMatchObject({ fault: "lost" });
    await expect(client.pass(pass)).rejects.toMatchObject({ fault: "lost" });
    expect(seen.filter(({ path }) => path === "optim_step" || path === "forward_backward")).toHaveLength(2);
  });

  it("is found by its result among the futures after the last one known, or known not to have arrived", async () => {
    const futures: Record<string, Reply> = { "4": { json: { metrics: { "skyrl.ai/learning_rate": 0.25 } } }, "5": { json: { metrics: { "skyrl.ai/learning_rate": 0.5 } } } };
    const { url } = await serverOf({}, oldServer);
    const client = await connect(url);
    const session = new TinkerSession(client);
    session.note("3");
    const read = (id: string) => ({
      requestId: id,
      result: () => {
        const reply = futures[id];
        return reply === undefined || reply === "hang up" ? Promise.reject(new TinkerError("gone", "Future not found", 404)) : Promise.resolve(reply.json as { metrics: Record<string, number> });
      },
    });
    const rate = (wanted: number) => ({ metrics }: { metrics: Record<string, number> }) => metrics["skyrl.ai/learning_rate"] === wanted;
    expect(await session.findLost(session.mark ?? 0n, read, rate(0.5))).toEqual({ metrics: { "skyrl.ai/learning_rate": 0.5 } });
    expect(await session.findLost(3n, read, rate(0.75))).toBeNull();
  });
});

describe("bodies", () => {
  it("are protobuf under zstd for a server that takes it", async () => {
    const { url, seen } = await serverOf({ forward_backward: [{ json: { request_id: "1" } }] }, newServer);
    await (await connect(url)).pass(pass);
    const sent = seen.find(({ path }) => path === "forward_backward");
    expect(sent?.headers).toMatchObject({ "content-type": "application/x-protobuf", "content-encoding": "zstd" });
    const { decompress } = await openZstd();
    expect(Buffer.from(decompress(sent?.body ?? Buffer.alloc(0))).equals(Buffer.from(encodePass(pass)))).toBe(true);
  });

  it("that are not what they should be are refused with the place", async () => {
    const { url } = await serverOf({ create_session: [{ json: { session: "x" } }], get_server_capabilities: [{ json: { supported_models: [{ model_name: 3 }] } }] }, oldServer);
    const client = await connect(url);
    await expect(client.createSession([])).rejects.toThrow(/session_id/);
    await expect(client.capabilities()).rejects.toThrow(/supported_models\.0\.model_name/);
  });
});

describe("the API key", () => {
  it("is sent in its header, and appears in no message even where the server repeats it", async () => {
    const { url, seen } = await serverOf({ optim_step: [{ status: 401, json: { detail: `unknown key ${key}` } }], asample: [{ json: { request_id: "1" } }], retrieve_future: [{ status: 400, json: { detail: `no ${key}` } }] }, oldServer);
    const client = await connect(url);
    const refused = await client.optimStep("m", 1, adam).catch((error: unknown) => error);
    const failed = await client.pendingStep("1").result().catch((error: unknown) => error);
    for (const error of [refused, failed]) {
      expect(error).toBeInstanceOf(TinkerError);
      expect(JSON.stringify([error, (error as Error).message, (error as Error).stack])).not.toContain(key);
    }
    expect((refused as TinkerError).message).toContain("unknown key");
    expect(seen.every(({ headers }) => headers["x-api-key"] === key)).toBe(true);
  });
});

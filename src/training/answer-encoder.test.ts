import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { answerScorer } from "../rewards/answer.js";
import { defaultEncoder, openAnswerEncoder } from "./answer-encoder.js";
import { cachedModel } from "./hub-model.js";

const tiny = fileURLToPath(new URL("../../interop/fixtures/bert-tiny-zip", import.meta.url));
const files = ["config.json", "tokenizer_config.json", "vocab.txt", "pytorch_model.bin"];
const commit = "e1354b7a3a09615f6aba48dfad4b7a613eef7062";

let home: string;
let server: Server;
let requests: { url: string; authorization: string | undefined }[];
/** Bytes after which the weights' first answer breaks off; 0: whole. */
let breakAt: number;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "breakwater-hub-"));
  requests = [];
  breakAt = 0;
  server = createServer((request, response) => {
    const url = request.url ?? "";
    requests.push({ url, authorization: request.headers.authorization });
    if (url === `/api/models/${defaultEncoder}/revision/main?blobs=true`) {
      const siblings = [...files, "README.md", "flax_model.msgpack"].map((rfilename) => {
        if (!files.includes(rfilename)) return { rfilename, size: 1 };
        const content = readFileSync(join(tiny, rfilename));
        const sha = (algorithm: string, ...parts: (string | Buffer)[]) => parts.reduce((hash, part) => hash.update(part), createHash(algorithm)).digest("hex");
        return rfilename.endsWith(".bin")
          ? { rfilename, size: content.length, lfs: { sha256: sha("sha256", content), size: content.length } }
          : { rfilename, size: content.length, blobId: sha("sha1", `blob ${content.length}\0`, content) };
      });
      response.end(JSON.stringify({ sha: commit, siblings }));
      return;
    }
    const file = files.find((name) => url === `/${defaultEncoder}/resolve/${commit}/${name}`);
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    const content = readFileSync(join(tiny, file));
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      "content-length": content.length - from,
      etag: '"1"',
      ...(from > 0 ? { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` } : {}),
    });
    if (breakAt > 0 && file.endsWith(".bin")) {
      const until = breakAt;
      breakAt = 0;
      response.write(content.subarray(from, until), () => response.destroy());
      return;
    }
    response.end(content.subarray(from));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  rmSync(home, { recursive: true, force: true });
});

const endpoint = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const environment = (more: Record<string, string> = {}) => ({ HF_HOME: home, HF_ENDPOINT: endpoint(), ...more });

async function open(which: string, env: Record<string, string | undefined>) {
  const said: string[] = [];
  const encoder = await openAnswerEncoder({ which, worker: false, threads: 1, say: (message) => said.push(message), hub: { environment: env, tries: 2 } });
  return { encoder, said };
}

describe("which encoder", () => {
  test("none, a folder, a path that is not there", async () => {
    expect((await open("none", environment())).encoder).toBeNull();
    const { encoder } = await open(tiny, environment());
    expect(answerScorer(encoder)).toBe(`lexical and BERTScore of ${tiny}, layer 3`);
    expect(await encoder?.f1([{ answer: "left lung", gold: "left lung" }])).toEqual([expect.closeTo(1, 6)]);
    await encoder?.close?.();
    await expect(open("./no-such-folder", environment())).rejects.toThrow(/\.\/no-such-folder does not exist/);
    expect(requests).toEqual([]);
  });

  test("auto downloads BiomedBERT once, into the hub's own cache, token to the hub alone", async () => {
    breakAt = 60_000;
    const { encoder, said } = await open("auto", environment({ HF_TOKEN: "hf_secret" }));
    expect(encoder?.name).toBe(`BERTScore of ${defaultEncoder}, layer 3`);
    expect(said[0]).toMatch(/^downloading microsoft\/BiomedNLP-BiomedBERT.* MB\) from http/);
    expect(said.join()).not.toContain("hf_secret");
    await encoder?.close?.();
    const folder = join(home, "hub", `models--${defaultEncoder.replace("/", "--")}`, "snapshots", commit);
    expect(readdirSync(folder).sort()).toEqual([...files].sort());
    for (const file of files) expect(readFileSync(join(folder, file))).toEqual(readFileSync(join(tiny, file)));
    // The weights broke off once and went on from there.
    expect(requests.filter(({ url }) => url.endsWith(".bin"))).toHaveLength(2);
    expect(requests.every(({ authorization }) => authorization === "Bearer hf_secret")).toBe(true);
    const before = requests.length;
    await (await open("auto", environment())).encoder?.close?.();
    await (await open(defaultEncoder, environment({ HF_ENDPOINT: "http://127.0.0.1:9" }))).encoder?.close?.();
    expect(requests).toHaveLength(before);
  });

  test("auto without the hub: null, and why; a named one is an error", async () => {
    const gone = environment({ HF_ENDPOINT: "http://127.0.0.1:9" });
    const { encoder, said } = await open("auto", gone);
    expect(encoder).toBeNull();
    expect(said.at(-1)).toMatch(/no BERTScore encoder \(.*127\.0\.0\.1:9.*lexical score, its two parts with 0\.5 each/s);
    expect(answerScorer(encoder)).toBe("lexical (no BERTScore encoder)");
    await expect(open(defaultEncoder, gone)).rejects.toThrow(/given up after 2 tries/);
    await expect(open("some/other-model", environment())).rejects.toThrow(/some\/other-model: .*404.*HF_TOKEN is not set/);
    await expect(open(defaultEncoder, environment({ HF_HUB_OFFLINE: "1" }))).rejects.toThrow(/HF_HUB_OFFLINE is set/);
  });

  test("BIOMEDBERT_PATH, as the reference has it, goes before the hub", async () => {
    const { encoder } = await open("auto", environment({ BIOMEDBERT_PATH: tiny }));
    expect(encoder?.name).toContain(tiny);
    expect(requests).toEqual([]);
    await encoder?.close?.();
  });

  test("a snapshot that was cut off is not taken for a whole one", () => {
    const hub = { environment: environment() };
    const folder = join(home, "hub", "models--some--encoder", "snapshots", "abc");
    mkdirSync(folder, { recursive: true });
    for (const file of files.slice(0, 3)) cpSync(join(tiny, file), join(folder, file));
    expect(existsSync(join(folder, "config.json"))).toBe(true);
    expect(cachedModel("some/encoder", hub)).toBeNull();
    cpSync(join(tiny, "pytorch_model.bin"), join(folder, "pytorch_model.bin"));
    expect(cachedModel("some/encoder", hub)).toBe(folder);
  });
});

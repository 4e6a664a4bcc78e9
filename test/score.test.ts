import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { commandFolder } from "./support/cli.js";

const tiny = fileURLToPath(new URL("../interop/fixtures/bert-tiny", import.meta.url));
const { cli: breakwater } = commandFolder("score");

const lines = ['{"id":1,"candidate":"left lower lobe","reference":"lower left lobe"}', "broken", '{"id":"b","candidate":"two","reference":"2"}', ""].join("\n");

it("breakwater score, the encoder in its own thread", { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await breakwater(["score", "--encoder", tiny, "--encoder-layer", "2"], lines);
  expect(code).toBe(1);
  const rows = stdout.trim().split("\n").map((line) => JSON.parse(line) as Record<string, number>);
  expect(rows).toMatchObject([
    { id: 1, verified: false, rouge1: 1, bleu1: 1 },
    { id: "b", verified: true, reward: 1 },
  ]);
  // 0.9676181674 by the Python library.
  expect(rows[0].bertscore).toBeCloseTo(0.9676181674, 5);
  expect(rows[0].reward).toBeCloseTo(0.9838090837, 5);
  expect(stderr).toMatch(/answers: lexical and BERTScore of .*bert-tiny, layer 2/);
  expect(stderr).toMatch(/standard input, line 2: not JSON/);
});

it("breakwater score without an encoder, and with one that is not there", { timeout: 120_000 }, async () => {
  const none = await breakwater(["score", "--encoder", "none"], lines.replace("broken\n", ""));
  expect(none).toMatchObject({ code: 0, stderr: "breakwater: answers: lexical (no BERTScore encoder)\n" });
  const missing = await breakwater(["score", "--encoder", "./missing"], lines);
  expect(missing).toMatchObject({ code: 1, stdout: "" });
  expect(missing.stderr).toMatch(/encoder: \.\/missing does not exist/);
});

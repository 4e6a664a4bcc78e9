import { PassThrough, Writable } from "node:stream";
import { expect, test } from "vitest";
import type { BertScoreEncoder } from "../rewards/answer.js";
import { scoreFilter } from "./score-filter.js";

function sink(): { stream: Writable; lines: () => string[] } {
  const parts: string[] = [];
  const stream = new Writable({
    highWaterMark: 16,
    write(part: Buffer, _encoding, done) {
      parts.push(part.toString("utf8"));
      setImmediate(done);
    },
  });
  return { stream, lines: () => parts.join("").split("\n").filter(Boolean) };
}

async function run(lines: readonly unknown[], encoder: BertScoreEncoder | null) {
  const [output, errors] = [sink(), sink()];
  const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
  async function* input(): AsyncGenerator<string> {
    yield Promise.resolve(text);
  }
  const bad = await scoreFilter({ input: input(), source: "in.jsonl", output: output.stream, errors: errors.stream }, encoder);
  await Promise.all([output, errors].map(({ stream }) => new Promise<void>((done) => stream.end(done))));
  return { bad, out: output.lines().map((line) => JSON.parse(line) as Record<string, unknown>), errors: errors.lines() };
}

const half: BertScoreEncoder = { name: "half", f1: (pairs) => Promise.resolve(pairs.map(() => 0.5)) };

test("every part in order, full precision, null without an encoder", async () => {
  const lines = [
    { id: "a", candidate: "right lower lobe mass", reference: "mass in the right lower lobe" },
    { id: 2, candidate: "two", reference: "2" },
    { id: "c", candidate: null, reference: "liver" },
  ];
  expect((await run(lines, null)).out).toEqual([
    { id: "a", reward: 0.5 * 0.8 + 0.5 * Math.exp(-0.5), verified: false, rouge1: 0.8, bleu1: Math.exp(-0.5), bertscore: null },
    { id: 2, reward: 1, verified: true, rouge1: 0, bleu1: 0, bertscore: null },
    { id: "c", reward: 0, verified: false, rouge1: 0, bleu1: 0, bertscore: null },
  ]);
  const [first] = (await run(lines, half)).out;
  expect(first).toEqual({ id: "a", reward: 0.25 * 0.8 + 0.25 * Math.exp(-0.5) + 0.25, verified: false, rouge1: 0.8, bleu1: Math.exp(-0.5), bertscore: 0.5 });
});

test("more lines than the encoder gets at once stay in order; it gets them together", async () => {
  const asked: number[] = [];
  const encoder: BertScoreEncoder = {
    name: "slow",
    f1: async (pairs) => {
      asked.push(pairs.length);
      await new Promise((done) => setTimeout(done, asked.length === 1 ? 20 : 0));
      return pairs.map(({ answer }) => Number(answer.slice(1)) / 1000);
    },
  };
  const lines = Array.from({ length: 200 }, (_, i) => ({ id: i, candidate: `n${i}`, reference: "gold" }));
  const { out, bad } = await run(lines, encoder);
  expect(bad).toBe(0);
  expect(out.map(({ id, bertscore }) => [id, bertscore])).toEqual(lines.map(({ id }) => [id, id / 1000]));
  expect(asked.slice(0, 3)).toEqual([64, 64, 64]);
});

test("bad lines and what could not be scored are named with their line, the rest is written", async () => {
  const picky: BertScoreEncoder = { name: "picky", f1: (pairs) => Promise.resolve(pairs.map(({ answer }) => (answer === "odd" ? NaN : 0.5))) };
  const { bad, out, errors } = await run(
    [{ id: 1, candidate: "a", reference: "b" }, "{broken", { id: 2, candidate: "odd", reference: "b" }, { id: 3, candidate: 4, reference: "b" }, { id: 1, candidate: "a", reference: "b" }, { id: 5, candidate: "c", reference: "b" }],
    picky,
  );
  expect(bad).toBe(4);
  expect(out.map(({ id }) => id)).toEqual([1, 5]);
  expect(errors.map((line) => /line (\d+)/.exec(line)?.[1]).sort()).toEqual(["2", "3", "4", "5"]);
  expect(errors.find((line) => line.includes("line 3"))).toMatch(/id 2: not scored: BERTScore encoder picky gave no number/);
});

test("a writer that waits for each answer gets it before the input ends", async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const done = scoreFilter({ input, source: "pipe", output, errors: new PassThrough() }, half);
  const answers: unknown[] = [];
  for (let i = 0; i < 3; i++) {
    const next = new Promise((got) => output.once("data", (data: Buffer) => got(JSON.parse(data.toString()))));
    input.write(`${JSON.stringify({ id: i, candidate: "a", reference: "b" })}\n`);
    answers.push(await next);
  }
  input.end();
  expect(await done).toBe(0);
  expect(answers).toMatchObject([{ id: 0 }, { id: 1 }, { id: 2 }]);
});

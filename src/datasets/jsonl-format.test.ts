import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadDataset } from "./dataset.js";
import { ExampleWriter, lineToExample, readExampleLines, type ExampleLine } from "./jsonl-format.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bw-jsonl-"));
  mkdirSync(join(dir, "images"));
  writeFileSync(join(dir, "images", "a.png"), "x");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const path = (): string => join(dir, "sets", "train.jsonl");
const full: ExampleLine = { id: "1", image: "../images/a.png", question: "Où?\u2028", answer: "là 🫁", goldReasoning: "One.\nTwo.", kind: "organ", dataset: "mine", split: "train", meta: { x: [1] } };

function write(lines: readonly ExampleLine[]): void {
  const writer = new ExampleWriter(path());
  for (const line of lines) writer.write(line);
  writer.close();
}

describe("our data set file", () => {
  it("comes back as it was written, images relative in the file and absolute in the program", () => {
    write([{ ...full, image: join(dir, "images", "a.png") }, { id: "2", image: null, question: "q", answer: "a" }]);
    expect([...readExampleLines(path())]).toEqual([{ line: 1, row: full }, { line: 2, row: { id: "2", image: null, question: "q", answer: "a" } }]);
    const { examples, report } = loadDataset(join(dir, "sets"));
    expect(examples).toEqual([
      { id: "1", image: join(dir, "images", "a.png"), question: "Où?\u2028", answer: "là 🫁", goldReasoning: "One.\nTwo.", kind: "organ", meta: { x: [1], dataset: "mine", split: "train" } },
      { id: "2", image: null, question: "q", answer: "a", goldReasoning: null },
    ]);
    expect(report).toMatchObject({ format: "jsonl", rows: 2, kept: 2, withReasoning: 1 });
    expect(lineToExample(path(), full)).toEqual(examples[0]);
  });

  it("is not there before it is whole", () => {
    const writer = new ExampleWriter(path());
    for (let i = 0; i < 5000; i++) writer.write({ ...full, id: String(i) });
    expect(existsSync(path())).toBe(false);
    writer.discard();
    expect(readdirSync(join(dir, "sets"))).toEqual([]);
  });

  it("lines longer and shorter than what is read at once, CRLF, a byte order mark, blank lines, no last line feed", () => {
    const lines = [...Array(300).keys()].map((i) => ({ id: `n${i}`, image: null, question: "q".repeat(1 + ((i * 7919) % 6000)), answer: "é".repeat(1 + (i % 3)) }));
    mkdirSync(join(dir, "sets"));
    writeFileSync(path(), `\ufeff${lines.map((line) => JSON.stringify(line)).join("\r\n\n")}`);
    expect([...readExampleLines(path())].map(({ row }) => row)).toEqual(lines);
    writeFileSync(path(), `${JSON.stringify({ ...lines[0], question: "x".repeat(900_000) })}\n`);
    expect([...readExampleLines(path())][0].row.question).toHaveLength(900_000);
  });

  it.each([
    ["{", /line 2: not JSON/],
    ['{"id":"2","image":null,"question":"q"}', /line 2: "answer"/],
    ['{"id":"2","image":null,"question":" ","answer":"a"}', /line 2: "question": is empty/],
    ['{"id":"2","image":null,"question":"q","answer":"a","gold":"x"}', /line 2: .*gold/],
    ['{"id":"1","image":null,"question":"q","answer":"a"}', /rows \[1\] and \[2\] have the same id "1"/],
    ['{"id":"2","image":"no.png","question":"q","answer":"a"}', /row \[2\] "image" names "no\.png"/],
  ])("names the line of %s", (line, message) => {
    write([full]);
    writeFileSync(path(), `${readFileSync(path(), "utf8")}${line}\n`);
    expect(() => loadDataset(path())).toThrow(message);
  });

  it("bytes that are not UTF-8 are named", () => {
    write([full]);
    writeFileSync(path(), Buffer.concat([readFileSync(path()), Buffer.from([0x22, 0xff, 0x22, 10])]));
    expect(() => loadDataset(path())).toThrow(/line 2: not UTF-8/);
  });
});

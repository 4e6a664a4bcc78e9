import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { runData } from "../../test/support/data-command.js";
import { loadDataset } from "../datasets/dataset.js";
import { readExampleLines, type ExampleLine } from "../datasets/jsonl-format.js";

const fixtures = join(import.meta.dirname, "../../interop/fixtures");
const dicom = join(fixtures, "dicom");
let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "bw-import-"));
  mkdirSync(join(root, "pictures/red"), { recursive: true });
  for (const [name, background] of [["red/a.png", "#c00"], ["red/b.jpg", "#d11"], ["c.png", "#00c"]] as const) {
    await sharp({ create: { width: 20, height: 10, channels: 3, background } }).toFile(join(root, "pictures", name));
  }
});
afterAll(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(root, { recursive: true, force: true });
});

const run = (...args: string[]) => runData("import", ...args);

const lines = (dir: string, split = "train"): ExampleLine[] => [...readExampleLines(join(dir, `${split}.jsonl`))].map(({ row }) => row);

function put(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

/** Every file under a folder with its bytes. */
function tree(dir: string): Record<string, string> {
  return Object.fromEntries(
    (readdirSync(dir, { recursive: true, encoding: "utf8" }))
      .sort()
      .filter((name) => statSync(join(dir, name)).isFile())
      .map((name) => [name, readFileSync(join(dir, name)).toString("base64")]),
  );
}

describe("tables", () => {
  it("CSV: names bad rows by line, imports the others, exits with 1, and gives the same files again", async () => {
    const csv = put("t.csv", 'qid,question,answer,image,rationale,type,part\n1,"What, or where?",A,red/a.png,"It is red. So A.",KIND,train\n2,,B,c.png,,,train\n3,Q?,C,gone.png,,,train\n4,Q?,D\n5,Q?,E,c.png,,,test\n5,Q?,E,c.png,,,test\n6,Q?,<think>One. Two.</think><answer>F</answer>,,,,test\n');
    const out = join(root, "csv");
    const args = [csv, "--images", join(root, "pictures"), "--map", "split=part,kind=type", "--out", out];
    const { text, code } = await run(...args);
    expect(code).toBe(1);
    expect(text).toMatch(/t\.csv, line 3: no question/);
    expect(text).toMatch(/t\.csv, line 4: there is no image .*pictures\/gone\.png/);
    expect(text).toMatch(/t\.csv, line 5: has another number of columns/);
    expect(text).toMatch(/t\.csv, line 7: the id "5" stands already in .*line 6/);
    expect(text).toMatch(/imported 2 in test, 1 in train/);
    expect(text).toMatch(/bad rows, not imported: 4/);
    expect(lines(out)).toEqual([{ id: "1", image: expect.stringMatching(/^images\/[0-9a-f]{20}\.png$/), question: "What, or where?", answer: "A", goldReasoning: "It is red. So A.", kind: "KIND", split: "train" }]);
    expect(lines(out, "test").map(({ id, image, answer, goldReasoning }) => [id, image === null, answer, goldReasoning])).toEqual([["5", false, "E", undefined], ["6", true, "F", "One. Two."]]);
    const before = tree(out);
    // What a killed run leaves behind.
    writeFileSync(join(out, "train.jsonl.tmp-1"), "half");
    await run(...args);
    expect(tree(out)).toEqual(before);
  });

  it("JSON, JSON in an object, JSON Lines and JSON Lines called .json give the same", async () => {
    const rows = [{ image: "red/a.png", problem: "Q [1]? \"{", solution: "A" }, { image: "c.png", problem: "Größe?", solution: 4, extra: { a: [1] } }];
    const pretty = JSON.stringify(rows, null, 2);
    const files = [put("a.json", pretty), put("b.json", `{"version": {"n": 1}, "data": ${pretty}, "more": [1]}`), put("c.jsonl", rows.map((row) => JSON.stringify(row)).join("\n")), put("d.json", `${rows.map((row) => JSON.stringify(row)).join("\r\n")}\n`)];
    const results = [];
    for (const [i, file] of files.entries()) {
      const out = join(root, `json-${i}`);
      expect(await run(file, "--images", join(root, "pictures"), "--out", out)).toMatchObject({ code: 0 });
      results.push(lines(out));
    }
    expect(results[0].map(({ question, answer }) => [question, answer])).toEqual([['Q [1]? "{', "A"], ["Größe?", "4"]]);
    for (const result of results) expect(result).toEqual(results[0]);
    // What training reads.
    const { examples, report } = loadDataset(join(root, "json-0"));
    expect(report).toMatchObject({ format: "jsonl", kept: 2 });
    expect(examples[1]).toMatchObject({ id: "row-2", question: "Größe?", answer: "4" });
    expect(existsSync(examples[1].image ?? "")).toBe(true);
  });

  it("JSON: names the bad rows of a list, and a list that is cut off", async () => {
    const path = put("bad.json", '[{"question": "Q?", "answer": "A"},\n {"question": "Q?", "answer": NaN},\n 7,\n {"question": "Q?", "answer": {"a": 1}},\n {"question": "R?", "answer": ["B"]}]');
    const { text, code } = await run(path, "--out", join(root, "bad"));
    expect(code).toBe(1);
    expect(text).toMatch(/bad\.json, row 2 \(line 2\): not JSON.*write null/);
    expect(text).toMatch(/row 3 \(line 3\): not an object/);
    expect(text).toMatch(/row 4 \(line 4\): answer is an object/);
    expect(lines(join(root, "bad")).map(({ answer }) => answer)).toEqual(["A", "B"]);
    expect((await run(put("cut.json", '[{"question": "Q?", "answer": "A"}, {"ques'), "--out", join(root, "cut"))).text).toMatch(/ends before its list of rows is closed/);
    expect(existsSync(join(root, "cut"))).toBe(false);
  });

  it("Parquet as the hub has it, and bytes under other names", async () => {
    const out = join(root, "hub");
    const { text, code } = await run(join(fixtures, "import/hub.parquet"), "--out", out, "--dataset", "colours");
    expect(code).toBe(1);
    expect(text).toMatch(/row 3: the image "three\.png" cannot be decoded/);
    expect(text).toMatch(/row 4: no question/);
    const found = lines(out);
    expect(found.map(({ id, question, answer, dataset }) => [id, question, answer, dataset])).toEqual([["row-1", "Which colour?", "Red", "colours"], ["row-2", "Which colour?", "grün", "colours"], ["row-5", "No picture?", "Yes", "colours"]]);
    expect([...(await sharp(join(out, found[0].image ?? "")).raw().toBuffer()).subarray(0, 3)]).toEqual([200, 10, 10]);
    expect(await run(join(fixtures, "import/bytes.parquet"), "--out", join(root, "bytes"), "--map", "question=q,answer=n", "--map", "image=picture")).toMatchObject({ code: 0 });
    expect(lines(join(root, "bytes")).map(({ question, answer }) => [question, answer])).toEqual([["A?", "7"], ["B?", "8"]]);
  });

  it("several files: splits by their names, ids of their own, an earlier run's rubbish cleared once only", async () => {
    const row = JSON.stringify({ question: "Q?", answer: "A", image: "red/a.png" });
    const files = [put("train.jsonl", `${row}\n${row}`), put("test.jsonl", row), put("train-2.jsonl", row)];
    const out = join(root, "several");
    const { code, text } = await run(...files, "--images", join(root, "pictures"), "--out", out);
    expect(text).toMatch(/imported 1 in test, 3 in train/);
    expect(code).toBe(0);
    expect(lines(out).map(({ id }) => id)).toEqual(["source-1-row-1", "source-1-row-2", "source-3-row-1"]);
    expect((await run(files[1], "--split", "held-out", "--images", join(root, "pictures"), "--out", out)).text).toMatch(/imported 1 in held-out/);
  });

  it("says what cannot be imported at all, with the way out", async () => {
    const out = join(root, "none");
    expect((await run(put("x.csv", "a,b\n1,2\n"), "--out", out)).text).toMatch(/has no column that looks like the question\. It has: a, b\. Say which with --map question=COLUMN/);
    expect((await run(join(fixtures, "import/bytes.parquet"), "--out", out)).text).toMatch(/no column that looks like the question\. It has: picture, q, n/);
    expect((await run(put("y.csv", "q,answer\n1,2\n"), "--map", "question=gone", "--out", out)).text).toMatch(/no column "gone" for question/);
    expect((await run(join(root, "nowhere"), "--out", out)).text).toMatch(/nothing at .*nowhere/);
    expect((await run(put("z.bin", "x"), "--out", out)).text).toMatch(/cannot tell what it is.*--format/);
    expect((await run(put("w.parquet", "PAR1 no"), "--out", out)).text).toMatch(/w\.parquet: cannot be read as Parquet/);
    expect((await run(put("v.jsonl", "{}\n"), "--out", out)).text).toMatch(/Nothing was imported: all 1 rows are bad/);
    expect((await run(put("u.csv", "question,answer\nQ,A\n"), "--map", "colour=x", "--out", out)).text).toMatch(/--map "colour=x": give FIELD=COLUMN/);
  });
});

describe("folders", () => {
  it("images: answers from the folder's name or a text beside it, links where asked", async () => {
    const out = join(root, "folder");
    writeFileSync(join(root, "pictures/c.txt"), "Blue\n");
    const { code } = await run(join(root, "pictures"), "--question", "Which colour?", "--out", out, "--link");
    expect(code).toBe(0);
    const found = lines(out);
    expect(found.map(({ id, answer }) => [id, answer])).toEqual([["c", "Blue"], ["red/a", "red"], ["red/b", "red"]]);
    expect(statSync(join(out, found[0].image ?? "")).ino).toBe(statSync(join(root, "pictures/c.png")).ino);
    expect((await run(join(root, "pictures"), "--out", out)).text).toMatch(/give one for all with --question/);
  });

  it("a metadata table in an image folder holds its questions", async () => {
    const dir = join(root, "withmeta");
    mkdirSync(dir);
    copyFileSync(join(root, "pictures/c.png"), join(dir, "c.png"));
    writeFileSync(join(dir, "metadata.csv"), "file_name,question,answer\nc.png,Q?,A\n");
    expect(await run(dir, "--out", join(root, "meta-out"))).toMatchObject({ code: 0 });
    expect(lines(join(root, "meta-out"))[0]).toMatchObject({ question: "Q?", answer: "A" });
  });
});

describe("DICOM", () => {
  const grey = async (out: string, { image }: ExampleLine): Promise<number> => (await sharp(join(out, image ?? "")).raw().toBuffer())[0];

  it("puts the slices of a series in order, flags burned-in text, leaves out reports", async () => {
    const out = join(root, "study");
    const { text, code } = await run(join(dicom, "study"), "--question", "Which organ?", "--answer", "Brain", "--out", out);
    expect(code).toBe(0);
    expect(text).toMatch(/note: .*ultrasound\.dcm: text may be burned into the picture/);
    expect(text).toMatch(/1 file without a DICOM picture left out/);
    const found = lines(out);
    // By position 10, 20, 30 mm; the instance numbers say otherwise.
    expect(await Promise.all(found.slice(0, 3).map((line) => grey(out, line)))).toEqual([50, 100, 150]);
    expect(found[0].meta).toEqual({
      series: 1, slice: 1, slices: 3,
      dicom: { modality: "CT", bodyPart: "HEAD", rows: 12, columns: 16, frames: 1, frame: 1, samplesPerPixel: 1, bitsStored: 8, photometric: "MONOCHROME2", transferSyntax: "Explicit VR Little Endian", pixelSpacing: [0.5, 0.75], burnedIn: "no" },
    });
    expect(found[3].meta).toMatchObject({ series: 2, dicom: { modality: "US", burnedIn: "likely" } });
    await run(join(dicom, "study"), "--question", "Q?", "--answer", "A", "--out", join(root, "middle"), "--frames", "middle");
    expect(await grey(join(root, "middle"), lines(join(root, "middle"))[0])).toBe(100);
  });

  it("takes frames of a multi-frame file, by option or by column, and a window", async () => {
    const out = join(root, "frames");
    await run(join(dicom, "enhanced-ct.dcm"), "--question", "Q?", "--answer", "A", "--out", out, "--frames", "2");
    expect(lines(out).map(({ meta }) => meta?.slice)).toEqual([1, 3]);
    const csv = put("frames.csv", "question,answer,image,frame\nQ?,A,enhanced-ct.dcm,2\nQ?,A,enhanced-ct.dcm,4\nQ?,A,enhanced-ct.dcm,0\n");
    const { text } = await run(csv, "--images", dicom, "--out", join(root, "frame-column"), "--window", "0,4096");
    expect(text).toMatch(/line 3: .*has 3 frames; there is no frame 4/);
    expect(text).toMatch(/line 4: the frame is "0"/);
    expect(lines(join(root, "frame-column"))[0].meta).toMatchObject({ dicom: { frame: 2 } });
    expect((await run(csv, "--images", dicom, "--out", out, "--window", "wide")).text).toMatch(/--window wide: give centre,width/);
  });

  it("lets nothing that identifies a patient out: files, names, output, errors", async () => {
    const { secrets } = (JSON.parse(readFileSync(join(dicom, "expected.json"), "utf8")) as Record<string, { secrets: string[] }>).identified;
    expect(secrets.length).toBeGreaterThan(90);
    const bytes = readFileSync(join(dicom, "identified.dcm"));
    const raw = bytes.toString("latin1");
    for (const secret of secrets) expect(raw, "the fixture has it").toContain(secret);
    const dir = join(root, "phi");
    mkdirSync(dir);
    writeFileSync(join(dir, "1.dcm"), bytes);
    // Damaged in many ways, for what errors say: cut off, an unknown syntax, no pixels, lengths that are wrong.
    for (let i = 0; i < 30; i++) writeFileSync(join(dir, `cut${i}.dcm`), bytes.subarray(0, 140 + Math.floor(((bytes.length - 150) * i) / 30)));
    writeFileSync(join(dir, "syntax.dcm"), Buffer.from(raw.replace("1.2.840.10008.1.2.1\0", "1.2.840.10008.1.2.7\0"), "latin1"));
    for (let i = 0; i < 40; i++) {
      const broken = Buffer.from(bytes);
      broken[300 + i * 97] ^= 0xff;
      writeFileSync(join(dir, `broken${i}.dcm`), broken);
    }
    const out = join(root, "phi-out");
    const printed = (await run(dir, "--question", "Q?", "--answer", "A", "--out", out)).text;
    const table = put("phi.csv", "question,answer,image\n" + readdirSync(dir).map((name) => `Q?,A,${name}`).join("\n"));
    const tabled = (await run(table, "--images", dir, "--out", `${out}2`)).text;
    expect(tabled).toMatch(/bad rows, not imported: \d\d/);
    const written = [...Object.entries(tree(out)), ...Object.entries(tree(`${out}2`))].map(([name, content]) => `${name}\n${Buffer.from(content, "base64").toString("latin1")}`).join("\n");
    expect(written).toContain('"modality":"CT"');
    for (const secret of secrets) {
      expect(printed, "printed").not.toContain(secret);
      expect(tabled, "printed").not.toContain(secret);
      expect(written, "written").not.toContain(secret);
    }
    expect(written).not.toMatch(/ZQ\d{3}/);
  });
});

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { runData as run } from "../../test/support/data-command.js";
import type { CheckReport } from "../datasets/check/check.js";
import { writePhantomDataset } from "../datasets/phantom/write.js";

let root: string;
/** A picture that is unlike others of another seed. */
function picture(seed: number) {
  const data = Uint8Array.from({ length: 96 * 80 * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % 96, Math.floor(i / 288)];
    return 128 + 60 * Math.sin((x * seed) / 30) + 60 * Math.cos((y * (seed + 2)) / 25 + seed);
  });
  return sharp(data, { raw: { width: 96, height: 80, channels: 3 } });
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "bw-check-"));
  mkdirSync(join(root, "d/images"), { recursive: true });
  const images = join(root, "d/images");
  for (let i = 1; i <= 4; i++) await picture(i).png().toFile(join(images, `${i}.png`));
  await picture(1).resize(60, 50).jpeg({ quality: 50 }).toFile(join(images, "1-again.jpg"));
  writeFileSync(join(images, "2-copy.png"), readFileSync(join(images, "2.png")));
  writeFileSync(join(images, "cut.png"), readFileSync(join(images, "3.png")).subarray(0, 300));
  await sharp({ create: { width: 9, height: 9, channels: 3, background: "#333" } }).toFile(join(images, "blank.png"));
});
afterAll(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(root, { recursive: true, force: true });
});

const line = (id: string, image: string | null, question: string, answer: string, more: object = {}): string => JSON.stringify({ id, image, question, answer, ...more });

describe("data check", () => {
  it("finds each kind of fault, once, and nothing else", async () => {
    const dir = join(root, "d");
    writeFileSync(
      join(dir, "train.jsonl"),
      [
        line("a", "images/1.png", "What organ?", "lung", { goldReasoning: "The lungs are shown. So lung." }),
        line("b", "images/2.png", "What organ?", "liver"),
        line("c", "images/2.png", "what  organ", "Liver"),
        line("d", "images/2.png", "What side?", "left"),
        line("e", "images/2.png", "What side?", "right"),
        line("e", "images/3.png", "Is the lung lesion in the left lung?", "left lung"),
        line("f", "images/3.png", "Is it the left or the right lung?", "left"),
        line("g", "images/gone.png", "Gone?", "yes"),
        line("h", "images/cut.png", "Cut?", "yes"),
        line("i", "images/blank.png", "Blank?", "no"),
        line("j", "images/4.png", "Seen?", "a nodule", { goldReasoning: "…" }),
        line("k", "images/4.png", "Found?", "a nodule", { goldReasoning: "There is a mass." }),
        line("l", "images/2-copy.png", "Copy?", "no"),
        '{"id": "m", "image": null, "question": " ", "answer": "x"}',
        "{broken",
      ].join("\n"),
    );
    writeFileSync(join(dir, "test.jsonl"), [line("t1", "images/1-again.jpg", "Other?", "x"), line("t2", "images/3.png", "Is it the left or the right lung ?", "left")].join("\n"));
    const json = join(root, "found.json");
    const { text, code } = await run("check", dir, "--json", json);
    expect(code).toBe(1);
    const { findings, counts, rows, images } = JSON.parse(readFileSync(json, "utf8")) as CheckReport;
    const places = Object.fromEntries(findings.map(({ check, places }) => [check, places.map((place) => place.replace(/^.*?(\w+)\.jsonl, line /, "$1 "))]));
    expect(places).toEqual({
      "unreadable row": ["train 15"],
      "duplicate id": ["train 5", "train 6"],
      "missing image": ["train 8"],
      "unreadable image": ["train 9"],
      "blank image": ["train 10"],
      "answer in question": ["train 6"],
      "empty reasoning": ["train 11"],
      "answer not in reasoning": ["train 12"],
      "duplicate question": ["train 2", "train 3"],
      "contradicting answers": ["train 4", "train 5"],
      "duplicate image": ["train 2", "train 13"],
      "same image across parts": ["test 2", "train 6"],
      "near image across parts": ["test 1", "train 1"],
      "same question across parts": ["test 2", "train 7"],
    });
    // The two unreadable rows (14: no question) share a kind.
    expect(findings).toHaveLength(15);
    expect(counts).toEqual({ error: 7, warning: 7, note: 1 });
    expect([rows, images]).toEqual([15, 7]);
    expect(text).toMatch(/error\s+unreadable row\s+2/);
    expect(text).toMatch(/near image across parts\n.*1-again\.jpg \(test\) and images\/1\.png \(train\) look alike/);
  });

  it("finds nothing in a phantom data set, and what another shares with it", async () => {
    const dir = join(root, "phantom");
    await writePhantomDataset(dir, { train: 30, test: 10, seed: 1, size: 48, difficulty: "normal" });
    expect(await run("check", dir)).toMatchObject({ code: 0, text: expect.stringMatching(/40 rows \(test 10, train 30\), 40 images\n\nNothing found/) as string });
    const other = join(root, "other.json");
    const [first] = JSON.parse(readFileSync(join(dir, "train.json"), "utf8")) as { image: string; problem: string; solution: string }[];
    writeFileSync(other, JSON.stringify([{ image: join(dir, first.image), problem: first.problem, solution: first.solution }]));
    const { text, code } = await run("check", join(dir, "train.json"), "--against", other, "--json", "-");
    expect(code).toBe(1);
    const report = JSON.parse(text) as CheckReport;
    expect(report.findings.map(({ check }) => check)).toEqual(["same image across parts", "same question across parts"]);
    expect((await run("check", join(root, "nothing"))).text).toMatch(/There is no data set at .*nothing/);
  });

  const real = join(import.meta.dirname, "../../../shared/data/vqa-rad");
  it.skipIf(!existsSync(real))("finds what VQA-RAD's parts share (skipped where ../shared/data/vqa-rad is not there)", async () => {
    // The questions about three of its images, two of them in both parts.
    const names = ["synpic57368.jpg", "synpic21044.jpg", "synpic100132.jpg"];
    const dir = join(root, "rad");
    mkdirSync(dir);
    for (const part of ["train", "test"]) {
      const rows = (JSON.parse(readFileSync(join(real, `${part}.json`), "utf8")) as { image_name: string }[]).filter((row) => names.includes(row.image_name));
      writeFileSync(join(dir, `${part}.json`), JSON.stringify(rows.map((row) => ({ ...row, image_name: join(real, "images", row.image_name) }))));
    }
    const { text, code } = await run("check", dir, "--json", "-");
    const { findings, images } = JSON.parse(text) as CheckReport;
    expect([code, images]).toEqual([1, 3]);
    const shared = findings.filter(({ check }) => check === "same question across parts").map(({ message }) => message);
    expect(shared.join("\n")).toMatch(/How would you describe the abnormalities.*synpic57368\.jpg.*\n.*aortopulmonary window.*synpic21044\.jpg/);
    expect(findings.filter(({ check }) => /missing|unreadable|near/.test(check))).toEqual([]);
  });
});

describe("data show", () => {
  it("counts, and writes a page that holds all it shows", async () => {
    const dir = join(root, "phantom-show");
    await writePhantomDataset(dir, { train: 12, test: 4, seed: 2, size: 48, difficulty: "easy" });
    const [page, json] = [join(root, "sheet.html"), join(root, "sheet.json")];
    const { text, code } = await run("show", dir, "--html", page, "--json", json, "--limit", "5");
    expect(code).toBe(0);
    expect(text).toMatch(/train\s+12\s+0\s+12\s+0\s+0\s+12/);
    expect(text).toMatch(/below 256\s+16/);
    const html = readFileSync(page, "utf8");
    expect(html.match(/<article>/g)).toHaveLength(5);
    expect(html.match(/src="data:image\/png;base64,/g)).toHaveLength(5);
    expect(html).not.toMatch(/(?:src|href)="(?!data:)/);
    const counts = JSON.parse(readFileSync(json, "utf8")) as { stepCounts: [number, number][]; sets: { steps: number[] }[] };
    expect(counts.stepCounts.reduce((sum, [, n]) => sum + n, 0)).toBe(16);
  });

  it("reads a prepared folder's examples, not its sources, and the reference's gold reasoning", async () => {
    const dir = join(root, "prepared");
    for (const name of ["examples", "Data_RAW"]) mkdirSync(join(dir, name), { recursive: true });
    writeFileSync(join(dir, "examples/train.jsonl"), line("a", null, "Q?", "x", { dataset: "slake", split: "train" }));
    writeFileSync(join(dir, "examples/dropped.jsonl"), "{}");
    writeFileSync(join(dir, "Data_RAW/train.json"), "[{}]");
    expect((await run("show", dir)).text).toMatch(/slake train\s+1\s+0/);
    const gold = join(root, "medthink_train.json");
    writeFileSync(gold, JSON.stringify([{ image_path: null, question: "Q?", answer: "lung", solution: "It is an X-ray. It shows the lung." }]));
    expect((await run("show", gold)).text).toMatch(/medthink_train\s+1\s+0\s+0\s+0\s+0\s+1 .*2–2, median 2/);
  });

  it("shows faults as what they are, and no text as markup", async () => {
    const dir = join(root, "faulty");
    mkdirSync(dir);
    writeFileSync(join(dir, "cut.png"), "no image");
    writeFileSync(join(dir, "train.jsonl"), [line("a", "cut.png", "<script>alert(1)</script>", "x"), line("b", "gone.png", "Q?", "y"), line("c", null, "Q?", "z"), "{"].join("\n"));
    const page = join(root, "faulty.html");
    const { text } = await run("show", dir, "--html", page);
    expect(text).toMatch(/train\s+3\s+1\s+1\s+1/);
    expect(text).toMatch(/1 images? cannot be read/);
    const html = readFileSync(page, "utf8");
    expect(html).toContain("&#60;script&#62;");
    for (const what of ["no image", "image is missing", "image cannot be read"]) expect(html).toContain(what);
  });
});

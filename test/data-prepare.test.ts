import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ZipFile } from "yazl";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { prepare, type PrepareOptions, type PrepareResult } from "../src/datasets/catalog/prepare.js";
import { loadDataset } from "../src/datasets/dataset.js";
import type { PrepareEvent } from "../src/datasets/catalog/types.js";
import { command, startCompiled, type Ended } from "./support/cli.js";
import { everything, noise, picture, token, zipped } from "./support/data-content.js";
import { DataSources, type Content } from "./support/data-sources.js";

let root: string;
let sources: DataSources;
let content: Content;
let events: PrepareEvent[];
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "bw-prepare-"));
  content = await everything(50_000);
  sources = await new DataSources(content).start();
  events = [];
});
afterEach(async () => {
  await sources.stop();
  rmSync(root, { recursive: true, force: true });
});

function run(names: readonly string[], change: Partial<PrepareOptions> = {}, dir = join(root, "data")): Promise<PrepareResult> {
  return prepare({
    names, dir, offline: false, concurrency: 4, mimic: { data: null, images: null }, environment: sources.environment(),
    signal: new AbortController().signal, tell: (event) => void events.push(event), ...change,
  });
}

/** Every file below a folder but the lock. */
function contents(dir: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" }).sort()) {
    if (statSync(join(dir, name)).isFile() && !name.includes(".lock")) files[name] = readFileSync(join(dir, name), "latin1").replaceAll(dir, "DIR");
  }
  return files;
}

const own = (name: string): unknown => JSON.parse(readFileSync(join(root, "data", name), "utf8"));

describe("data prepare", () => {
  it("the training sets give the reference's files and ours", async () => {
    const result = await run(["train"]);
    expect(result.failed).toEqual([]);
    expect(result.prepared.map(({ name }) => name)).toEqual(["medthink", "vqa-rad", "slake", "pathvqa"]);
    const expected = (name: string): string => readFileSync(fileURLToPath(new URL(`../interop/fixtures/mrpo-join/expected/${name}`, import.meta.url)), "utf8").replaceAll("DATA_DIR", join(root, "data"));
    // Of PathVQA the shards differ from the join's fixture, so the rows of the two other sets are compared.
    const but = (text: string): unknown[] => (JSON.parse(text) as { image: string }[]).filter(({ image }) => !image.includes("pathvqa"));
    expect(but(readFileSync(join(root, "data/Data_Preprocessed/train_open_ended.json"), "utf8"))).toEqual(but(expected("Data_Preprocessed/train_open_ended.json")));
    expect(own("Medthink/medthink_train.json")).toEqual(JSON.parse(expected("Medthink/medthink_train.json")));
    const { examples, report } = loadDataset(join(root, "data/examples"), { split: "train" });
    expect(report.withReasoning).toBeGreaterThan(5);
    expect(examples.find(({ id }) => id === "vqa-rad-train-0")?.kind).toBe("size");
    expect(examples.filter(({ meta }) => meta?.dataset === "pathvqa").map(({ image, answer }) => [image, answer])).toEqual([
      [join(root, "data/Data_RAW/pathvqa/images/train_0001.jpg"), "necrosis"],
      [join(root, "data/Data_RAW/pathvqa/images/train_0001.jpg"), "necrosis"],
      [join(root, "data/Data_RAW/pathvqa/images/train_0002.jpg"), "in the a, b"],
    ]);
    // MedThink's pictures are not fetched for their names.
    expect(sources.seen.some(({ path }) => path.includes("Train_images"))).toBe(false);
    expect(own("Data_RAW/pathvqa/train.json")).toMatchObject([{ image: "images/train_0001.jpg" }, {}, {}, { image: "images/own.jpg" }, { image: "images/train_4.jpg", solution: "" }]);
    expect(readFileSync(join(root, "data/Data_RAW/pathvqa/images/train_0002.jpg")).equals(picture("b"))).toBe(true);
    expect(existsSync(join(root, "data/Data_RAW/slake/images/xmlab1/source.jpg"))).toBe(true);
    expect(readdirSync(join(root, "data/Data_RAW/slake")).sort()).toEqual(["images", "test.json", "train.json"]);
  });

  it("run again it fetches nothing, and without a network it uses what is there", async () => {
    await run(["train", "pmc-vqa"]);
    const before = contents(join(root, "data"));
    const asked = sources.seen.length;
    const again = await run(["train", "pmc-vqa"]);
    expect(again.prepared.every(({ fresh }) => !fresh)).toBe(true);
    expect(sources.seen.slice(asked).filter(({ path, server }) => server === "storage" || /^\/(media|datasets)/.test(path))).toEqual([]);
    await sources.stop();
    const offline = await run(["train", "pmc-vqa"], { offline: true });
    expect(offline.failed).toEqual([]);
    expect(contents(join(root, "data"))).toEqual(before);
  });

  it("--offline says what is missing, and takes what the reference's scripts have left", async () => {
    expect((await run(["slake"], { offline: true })).failed[0].message).toMatch(/slake: --offline, and nothing of it is in .*downloads\/slake/);
    await run(["slake"]);
    rmSync(join(root, "data/downloads/slake/imgs.zip"));
    rmSync(join(root, "data/Data_RAW/slake/images"), { recursive: true });
    expect((await run(["slake"], { offline: true })).failed[0].message).toMatch(/1 of 3 files are missing: .*imgs\.zip/);
    const other = join(root, "other");
    for (const part of ["train.json", "test.json"]) {
      mkdirSync(join(other, "Data_RAW/slake/images/xmlab7"), { recursive: true });
      writeFileSync(join(other, "Data_RAW/slake", part), content.hub["BoKelvin/SLAKE"].files[part]);
    }
    writeFileSync(join(other, "Data_RAW/slake/images/xmlab7/source.jpg"), "x");
    const result = await run(["slake"], { offline: true }, other);
    expect(result.failed).toEqual([]);
    expect(result.join?.test.slake?.examples).toBe(1);
  });

  it("a file that has changed at its source is fetched anew", async () => {
    await run(["slake"]);
    content.hub["BoKelvin/SLAKE"].files["test.json"] = Buffer.from(JSON.stringify([{ img_name: "xmlab1/source.jpg", question: "New?", answer: "New answer", q_lang: "en" }]));
    const asked = sources.seen.length;
    await run(["slake"]);
    expect(own("Data_Preprocessed/test_open_ended.json")).toMatchObject([{ problem: "New?" }]);
    expect(sources.seen.slice(asked).some(({ server }) => server === "storage")).toBe(false);
  });

  it("the out-of-distribution test sets", async () => {
    const result = await run(["pmc-vqa", "vqa-med-2019", "vqa-med-2020", "vqa-med-2021", "rad-vqa", "quilt-vqa"], { environment: { ...sources.environment(), HF_TOKEN: token } });
    expect(result.failed).toEqual([]);
    const rows = (name: string): unknown[] => loadDataset(join(root, "data/examples"), { split: name }).examples.map(({ question, answer }) => [question, answer]);
    expect(rows("pmc-vqa")).toEqual([["What, exactly?", "Focal uptake"], ["Which letter?", "three"]]);
    expect(rows("vqa-med-2019")).toEqual([["what is it?", "glioma"]]);
    expect(rows("vqa-med-2019-all")).toHaveLength(2);
    expect(rows("vqa-med-2020")).toEqual([["what is wrong?", "cyst"]]);
    expect(rows("vqa-med-2021")).toEqual([["what is it?", "cyst"]]);
    expect(rows("vqa-med-2021-all")).toEqual([["what is it?", "cyst"], ["what is abnormal?", "fracture"]]);
    expect(rows("rad-vqa")).toEqual([["What organ?", "brain"], ["Which pathology?", "cyst"]]);
    expect(rows("quilt-vqa")).toEqual([["What stain?", "It is H&E."], ["What cells?", "Lymphocytes."]]);
    expect(readFileSync(join(root, "data/Data_RAW/pmc-vqa/images/PMC1_F1.jpg")).equals(noise(101, 8000))).toBe(true);
    // Two pictures of eighty: most of the archive is left where it is.
    const zip = content.hub["RadGenome/PMC-VQA"].files["images.zip"].length;
    const taken = sources.seen.filter(({ server, range }) => server === "storage" && range !== null).map(({ range }) => /(\d+)-(\d+)/.exec(range ?? "")).reduce((sum, m) => sum + (m ? Number(m[2]) - Number(m[1]) + 1 : 0), 0);
    expect(zip).toBeGreaterThan(640_000);
    expect(taken).toBeLessThan(200_000);
    expect(own("Data_Preprocessed/rad-vqa_test.json")).toEqual([
      { image: join(root, "data/Data_RAW/rad-vqa/images/0.png"), problem: "What organ?", solution: "brain" },
      { image: join(root, "data/Data_RAW/rad-vqa/images/2.jpg"), problem: "Which pathology?", solution: "cyst" },
    ]);
  });

  it("a zip whose server gives no ranges is asked for by hand, and used when it lies there", async () => {
    sources.fault = ({ server }) => (server === "storage" ? "no ranges" : null);
    expect((await run(["pmc-vqa"])).failed[0].message).toMatch(/gives no byte ranges\. Download the whole archive yourself and put it at .*downloads\/pmc-vqa\/images\.zip/);
    writeFileSync(join(root, "data/downloads/pmc-vqa/images.zip"), content.hub["RadGenome/PMC-VQA"].files["images.zip"]);
    expect((await run(["pmc-vqa"], { offline: true })).failed).toEqual([]);
  });

  it("one set that fails does not keep the others back; a gated one says how to get in", async () => {
    const result = await run(["quilt-vqa", "vqa-med-2021"]);
    expect(result.prepared.map(({ name }) => name)).toEqual(["vqa-med-2021"]);
    expect(result.failed[0]).toMatchObject({ name: "quilt-vqa" });
    expect(result.failed[0].message).toMatch(/401.*set HF_TOKEN/);
  });

  it("the token goes to the hub alone", async () => {
    await run(["quilt-vqa", "slake", "vqa-rad", "medthink"], { environment: { ...sources.environment(), HF_TOKEN: token } });
    const withToken = sources.seen.filter(({ authorization }) => authorization !== null);
    expect(withToken.length).toBeGreaterThan(3);
    expect(withToken.every(({ server, authorization }) => server === "front" && authorization === `Bearer ${token}`)).toBe(true);
    expect(sources.seen.some(({ server }) => server === "storage")).toBe(true);
    // The hub is an origin of its own in the real world; here the OSF and GitHub share its origin.
    const elsewhere = await new DataSources(content).start();
    const environment = { ...sources.environment(), HF_ENDPOINT: elsewhere.front, HF_TOKEN: token };
    const before = sources.seen.length;
    await run(["vqa-rad", "medthink", "slake"], { environment }, join(root, "second"));
    expect(sources.seen.length).toBeGreaterThan(before);
    expect(sources.seen.slice(before).some(({ authorization }) => authorization !== null)).toBe(false);
    expect(elsewhere.seen.some(({ authorization }) => authorization !== null)).toBe(true);
    await elsewhere.stop();
    const everyByte = JSON.stringify(events) + JSON.stringify(contents(root));
    expect(everyByte).not.toContain(token);
    expect(everyByte).not.toContain("very-secret");
  });

  it("a member that leaves the folder is refused, and so is a link", async () => {
    const good = await zipped({ "imgs/xmlab1/source.jpg": noise(1, 50), "imgs/aa/evil.jpg": noise(2, 50) });
    const bad = Buffer.from(good.toString("latin1").replaceAll("imgs/aa/evil.jpg", "imgs/../../e.jpg"), "latin1");
    content.hub["BoKelvin/SLAKE"].files["imgs.zip"] = bad;
    const result = await run(["slake"]);
    expect(result.failed[0].message).toMatch(/outside of .*not to be trusted/);
    expect(readdirSync(join(root, "data/Data_RAW")).sort()).toEqual(["slake"]);
    expect(existsSync(join(root, "data/Data_RAW/slake/e.jpg"))).toBe(false);
    expect(existsSync(join(root, "data/downloads/slake/prepared.json"))).toBe(false);
    const linked = new ZipFile();
    linked.addBuffer(Buffer.from("/etc/passwd"), "imgs/xmlab1/source.jpg", { mode: 0o120777 });
    linked.end();
    const parts: Buffer[] = [];
    for await (const part of linked.outputStream) parts.push(part as Buffer);
    content.hub["BoKelvin/SLAKE"].files["imgs.zip"] = Buffer.concat(parts);
    expect((await run(["slake"])).failed[0].message).toMatch(/"imgs\/xmlab1\/source\.jpg" is a link/);
  });

  it("names that a source lists do not leave the folder", async () => {
    content.osf.folders["VQA_RAD Image Folder"]["../../evil.jpg"] = noise(1, 10);
    content.osf.folders["VQA_RAD Image Folder"][".."] = noise(2, 10);
    expect((await run(["vqa-rad"])).failed[0].message).toMatch(/not to be trusted/);
  });

  it("mimic-vqa is never fetched; a folder of one's own is used", async () => {
    expect((await run(["mimic-vqa"])).failed[0].message).toMatch(/PhysioNet.*credentialed access.*--mimic-dir/s);
    expect(sources.seen).toEqual([]);
    const data = join(root, "mimic/MIMIC-Ext-MIMIC-CXR-VQA/dataset");
    const images = join(root, "jpg/files");
    mkdirSync(data, { recursive: true });
    mkdirSync(join(images, "p10/p1/s1"), { recursive: true });
    writeFileSync(join(images, "p10/p1/s1/a.jpg"), "x");
    const row = { question: "Which findings?", answer: ["edema", "effusion"], image_path: "p10/p1/s1/a.jpg", content_type: "abnormality" };
    writeFileSync(join(data, "test.json"), JSON.stringify([row, { ...row, answer: ["yes"] }, { ...row, answer: [] }, { ...row, image_path: "p10/gone.jpg" }]));
    const result = await run(["mimic-vqa"], { mimic: { data: join(root, "mimic"), images: join(root, "jpg") } });
    expect(result.failed).toEqual([]);
    expect(loadDataset(join(root, "data/examples"), { split: "mimic-vqa" }).examples).toMatchObject([{ answer: "edema, effusion", image: join(images, "p10/p1/s1/a.jpg"), kind: "abnormality" }]);
    expect((await run(["mimic-vqa"])).prepared[0].fresh).toBe(false);
  });

  it("a second one in the same folder is refused", async () => {
    sources.fault = ({ path }) => (path.includes("/tree/") ? { status: 503, headers: { "retry-after": "1" } } : null);
    const first = run(["slake"]);
    await expect(run(["slake"])).rejects.toThrow(/Another .* is writing into/);
    sources.fault = () => null;
    await first;
  });

  it("unknown names and odd settings are named", async () => {
    await expect(run(["slak"])).rejects.toThrow(/"slak" is no data set known here\. Known are vqa-rad/);
    await expect(run(["slake"], { environment: { ...sources.environment(), HF_ENDPOINT: "hub" } })).rejects.toThrow(/HF_ENDPOINT: "hub" is no URL/);
    content.hub["BoKelvin/SLAKE"].files = { "other.json": noise(1, 4) };
    expect((await run(["slake"])).failed[0].message).toMatch(/none of the files/);
  });
});

const real = fileURLToPath(new URL("../../shared/data/vqa-rad", import.meta.url));

describe.skipIf(!existsSync(real))("data prepare of the real VQA-RAD (skipped where ../shared/data/vqa-rad is not)", () => {
  it("comes through the OSF's protocol whole, with the paper's 200 open test questions", async () => {
    const rows = (split: string): { phrase_type: string }[] => JSON.parse(readFileSync(join(real, `${split}.json`), "utf8")) as { phrase_type: string }[];
    // The release marks its test questions by their phrase type; the copy here has them in a file of their own.
    const test = rows("test").map((row) => ({ ...row, phrase_type: `test_${row.phrase_type}` }));
    const names = readdirSync(join(real, "images"));
    content.osf.files["VQA_RAD Dataset Public.json"] = Buffer.from(JSON.stringify([...rows("train"), ...test]));
    content.osf.folders["VQA_RAD Image Folder"] = Object.fromEntries(names.map((name) => [name, readFileSync(join(real, "images", name))]));
    const result = await run(["vqa-rad"], { concurrency: 8 });
    expect(result.failed).toEqual([]);
    expect(result.prepared[0].counts).toEqual({ train: 3064, test: 451 });
    expect(result.join?.test["vqa-rad"]).toMatchObject({ kept: 200, examples: 200, dropped: { "yes-or-no question": 251 } });
    const { examples } = loadDataset(join(root, "data/examples"), { split: "test" });
    expect(examples).toHaveLength(200);
    // The same questions as the reader of the original files finds.
    const own = loadDataset(real, { split: "test", openEndedOnly: true }).examples;
    expect(examples.map(({ question, answer }) => [question, answer])).toEqual(own.map(({ question, answer }) => [question, answer]));
    expect(examples.every(({ kind }) => kind !== undefined)).toBe(true);
    for (const name of names) expect(readFileSync(join(root, "data/Data_RAW/vqa-rad/images", name)).equals(readFileSync(join(real, "images", name)))).toBe(true);
  });
});

describe("data prepare as a process", () => {
  async function start(dir: string, args: readonly string[], signal: NodeJS.Signals | null, afterRequests: number): Promise<Ended> {
    const { child, ended } = startCompiled(command, ["data", ...args, "--data-dir", dir], { environment: { ...sources.environment(), HF_TOKEN: token } });
    const begun = sources.seen.length;
    const timer = signal === null ? null : setInterval(() => {
      if (sources.seen.length - begun < afterRequests) return;
      clearInterval(timer ?? undefined);
      child.kill(signal);
    }, 3);
    return ended.finally(() => clearInterval(timer ?? undefined));
  }

  const names = ["prepare", "medthink", "vqa-rad", "slake", "pathvqa", "pmc-vqa", "quilt-vqa"];

  it("killed again and again, it ends with the same files as one uninterrupted run", async () => {
    const straight = join(root, "straight");
    expect(await start(straight, names, null, 0)).toMatchObject({ code: 0 });
    const dir = join(root, "killed");
    sources.fault = () => "slow";
    let kills = 0;
    for (let requests = 4; requests <= 60; requests += 13) {
      const { signal, code, output } = await start(dir, names, "SIGKILL", requests);
      if (signal === "SIGKILL") kills++;
      else expect({ code, output }).toMatchObject({ code: 0 });
    }
    expect(kills).toBeGreaterThan(1);
    sources.fault = () => null;
    const { code, output } = await start(dir, names, null, 0);
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(contents(dir)).toEqual(contents(straight));
    expect(output).not.toContain(token);
    expect(output).not.toContain("very-secret");
  });

  it("SIGINT ends it with 130 and a way on; list says what is here", async () => {
    const dir = join(root, "stopped");
    sources.fault = () => "slow";
    const stopped = await start(dir, ["prepare", "slake"], "SIGINT", 4);
    expect(stopped.output).toMatch(/stopped; run the same command again/);
    expect(stopped.code).toBe(130);
    sources.fault = () => null;
    expect((await start(dir, ["list"], null, 0)).output).toMatch(/slake .*partly here/);
    const ended = await start(dir, ["prepare", "slake"], null, 0);
    expect(ended.output).toMatch(/slake: prepared \(4 train, 6 test\)/);
    expect(ended.output).toMatch(/test +slake +4 +1|test\s+slake/);
    const list = JSON.parse((await start(dir, ["list", "--json"], null, 0)).output) as { name: string; state: string; licence: string }[];
    expect(list.find(({ name }) => name === "slake")).toMatchObject({ state: "here", licence: "CC BY 4.0" });
    expect(list.find(({ name }) => name === "vqa-rad")).toMatchObject({ state: "not here" });
  });
});

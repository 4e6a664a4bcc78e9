/** Small data sets in the forms of the real ones, to be served by DataSources. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ZipFile } from "yazl";
import type { Content } from "./data-sources.js";

const fixture = (name: string): Buffer => readFileSync(fileURLToPath(new URL(`../../interop/fixtures/${name}`, import.meta.url)));

/** Bytes that are the same each time and do not compress away. */
export function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2654435761 + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** As interop/hub_parquet.py makes them. */
export function picture(name: string, head = [0xff, 0xd8, 0xff, 0xe0]): Buffer {
  return Buffer.concat([Buffer.from(head), Buffer.from(`[${name}]`.repeat(40))]);
}

export async function zipped(files: Readonly<Record<string, Buffer>>, stored = false): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, data] of Object.entries(files)) zip.addBuffer(data, name, { mtime: new Date(0), compress: !stored });
  zip.end();
  const parts: Buffer[] = [];
  for await (const part of zip.outputStream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

export const token = "hf_test_token_that_must_not_leak";

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Every source of the catalogue, small; `bulk` bytes for each of the larger files. */
export async function everything(bulk = 200_000): Promise<Content> {
  const joinInput = (name: string): unknown => JSON.parse(fixture(`mrpo-join/input/${name}`).toString("utf8"));
  const rad = (split: string, phrase: string): unknown[] =>
    (joinInput(`Data_RAW/vqa-rad/${split}.json`) as { image: string; question: string; answer: string }[]).map(({ image, ...row }, i) => ({ qid: i, image_name: image.slice(7), phrase_type: phrase, question_type: "SIZE", ...row }));
  const rationales = (name: string): Buffer => json(joinInput(`Medthink/${name}`));
  const med2021 = {
    "Test/Task1-VQA-2021-TestSet-Questions.txt": Buffer.from("synpic1|what is it?\nsynpic2|what is abnormal?\r\nsynpic3|no image here?\n"),
    "Test/Task1-VQA-2021-TestSet-ReferenceAnswers.txt": Buffer.from("synpic1|cyst\nsynpic2|fracture|broken bone\r\nsynpic3|x"),
    "Test/Task1-VQA-2021-TestSet-Images.zip": await zipped({ "VQA-500-Images/synpic1.jpg": noise(1, 500), "VQA-500-Images/synpic2.jpg": noise(2, 500), "__MACOSX/._synpic1.jpg": noise(3, 9) }),
  };
  const pmcRows = ["Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label", 'PMC1_F1.jpg,"What, exactly?",Focal uptake,A:None,B:Focal uptake,C:x,D:y,B', "PMC2_F1.jpg,Which letter?,C, A:one, B:two, C:three, D:four,C", "PMC9_gone.jpg,No picture?,x,A:x,B:y,C:z,D:w,A"];
  const pmcImages = Object.fromEntries([...Array(80).keys()].map((i) => [`images/PMC${i}_F1.jpg`, noise(100 + i, 8000)]));
  return {
    osf: {
      files: { "VQA_RAD Dataset Public.json": json([...rad("train", "freeform"), ...rad("test", "test_freeform")]), "Readme.docx": noise(7, 99) },
      folders: { "VQA_RAD Image Folder": Object.fromEntries([1, 2, 3, 9].map((i) => [`synpic${i}.jpg`, noise(i, bulk / 10)])), Other: { "a.txt": noise(1, 1) } },
    },
    hub: {
      "BoKelvin/SLAKE": {
        files: {
          ".gitattributes": Buffer.from("x"),
          "train.json": json(joinInput("Data_RAW/slake/train.json")),
          "test.json": json(joinInput("Data_RAW/slake/test.json")),
          "validate.json": json([]),
          "imgs.zip": await zipped({ "imgs/xmlab1/source.jpg": noise(11, bulk), "imgs/xmlab2/source.jpg": noise(12, bulk), "imgs/xmlab7/source.jpg": noise(17, 900), "imgs/xmlab8/source.jpg": noise(18, 900), "imgs/xmlab8/question.json": json([]), "__MACOSX/imgs/._a": noise(1, 9) }),
        },
        lfs: (path) => path.endsWith(".zip"),
      },
      "flaviagiammarino/path-vqa": {
        files: {
          "README.md": Buffer.from("x"),
          "data/train-00000-of-00002-aa.parquet": fixture("hub-parquet/pathvqa-train-0.parquet"),
          "data/train-00001-of-00002-bb.parquet": fixture("hub-parquet/pathvqa-train-1.parquet"),
          "data/test-00000-of-00001-cc.parquet": fixture("hub-parquet/pathvqa-test.parquet"),
          "data/validation-00000-of-00001-dd.parquet": noise(3, 50),
        },
        lfs: (path) => path.endsWith(".parquet"),
      },
      "RadGenome/PMC-VQA": { files: { "test_clean.csv": Buffer.from(`\ufeff${pmcRows.join("\r\n")}\r\n`), "images.zip": await zipped(pmcImages, true), "train.csv": noise(1, 20) }, lfs: (path) => path.endsWith(".zip") },
      "wisdomik/Quilt_VQA": { files: { "data/train-00000-of-00001.parquet": fixture("hub-parquet/quilt.parquet") }, lfs: () => true, token },
      "raidium/RadImageNet-VQA": { files: { "benchmark/test-00000-of-00001.parquet": fixture("hub-parquet/rad.parquet") }, lfs: () => true },
    },
    github: {
      "Tang-xiaoxiao/Medthink": {
        files: {
          "README.md": Buffer.from("x"),
          ...Object.fromEntries(
            ["R-RAD/open-end/trainset.json", "R-RAD/open-end/testset.json", "R-SLAKE/open-end/train.json", "R-SLAKE/open-end/test.json", "R-PathVQA/open-end/trainset.json", "R-PathVQA/open-end/testset.json"].map((name) => [`Medthink_Dataset/${name}`, rationales(name)]),
          ),
          "Medthink_Dataset/R-PathVQA/images/Train_images/train_0001.jpg": picture("a"),
          "Medthink_Dataset/R-PathVQA/images/Train_images/train_0002.jpg": picture("b"),
          "Medthink_Dataset/R-PathVQA/images/Test_images/test_0001.jpg": picture("t"),
        },
        lfs: (path) => path.startsWith("Medthink_Dataset/"),
      },
      "abachaa/VQA-Med-2019": {
        files: {
          "VQAMed2019Test/VQAMed2019_Test_Images.zip": await zipped({ "VQAMed2019_Test_Images/synpic5.jpg": noise(5, 300), "VQAMed2019_Test_Images/synpic6.jpg": noise(6, 300) }),
          "VQAMed2019Test/VQAMed2019_Test_Questions_w_Ref_Answers.txt": Buffer.from("synpic5|abnormality|what is it?|glioma#mass (large)\nsynpic6|modality|was contrast given?|no\n"),
        },
        lfs: () => false,
      },
      "abachaa/VQA-Med-2020": {
        files: {
          "VQA-TestSet-ReferenceAnswers-VQAMed2020-Task1.zip": await zipped({ "T/VQAMed2020-Task1-VQAnswering-Test-Questions.txt": Buffer.from("synpic8|what is wrong?\n"), "T/VQAMed2020-Task1-VQAnswering-Test-ReferenceAnswers.txt": Buffer.from("synpic8|cyst\n"), "T/VQAMed2020-Task1-VQAnswering-Test-Images.zip": await zipped({ "I/synpic8.jpg": noise(8, 100) }) }),
        },
        lfs: () => false,
      },
      "abachaa/VQA-Med-2021": { files: { "Task1-VQA-2021-TestSet-w-GroundTruth.zip": await zipped(med2021) }, lfs: () => false },
    },
  };
}

/** The data sets that can be prepared: facts for people. Sizes are what is downloaded. */
export interface DatasetFacts {
  readonly name: string;
  readonly title: string;
  readonly role: "train and test" | "rationales" | "test";
  /** Bytes to download, about; null where they are copied from a folder. */
  readonly bytes: number | null;
  readonly licence: string;
  /** Page for people. */
  readonly source: string;
  readonly credentials: string | null;
  /** Open-ended questions, and what is ambiguous or could not be verified. */
  readonly note: string;
}

export const catalog: readonly DatasetFacts[] = [
  {
    name: "vqa-rad", title: "VQA-RAD", role: "train and test", bytes: 55_000_000, licence: "CC0 1.0", source: "https://osf.io/89kps/", credentials: null,
    note: "The original release (3,064 training and 451 test questions, split by phrase_type), not the deduplicated copy on the hub. 200 open test questions.",
  },
  {
    name: "slake", title: "SLAKE", role: "train and test", bytes: 216_000_000, licence: "CC BY 4.0", source: "https://huggingface.co/datasets/BoKelvin/SLAKE", credentials: null,
    note: "train.json, test.json and imgs.zip; of the test questions the English open-ended ones.",
  },
  {
    name: "pathvqa", title: "PathVQA", role: "train and test", bytes: 600_000_000, licence: "MIT (card); the pictures are the publishers'", source: "https://huggingface.co/datasets/flaviagiammarino/path-vqa", credentials: null,
    note: "Training and test shards (Parquet). Images get MedThink's names by their content. About 3,357 open test questions.",
  },
  {
    name: "medthink", title: "MedThink rationales", role: "rationales", bytes: 20_000_000, licence: "Apache-2.0", source: "https://github.com/Tang-xiaoxiao/Medthink", credentials: null,
    note: "Open-end files of R-RAD, R-SLAKE and R-PathVQA (git-LFS). Its copies of the images are not fetched: their names are told from the repository's tree.",
  },
  {
    name: "pmc-vqa", title: "PMC-VQA (test_clean)", role: "test", bytes: 260_000_000, licence: "CC BY-SA", source: "https://huggingface.co/datasets/RadGenome/PMC-VQA", credentials: null,
    note: "The 2,000 manually checked questions, answered with the text of the right choice. Of images.zip (18.9 GB) only the pictures needed are fetched, by byte ranges. xmcmic/PMC-VQA is the same repository's former name.",
  },
  {
    name: "vqa-med-2019", title: "VQA-Med 2019 (test)", role: "test", bytes: 70_000_000, licence: "CC BY 4.0", source: "https://github.com/abachaa/VQA-Med-2019", credentials: null,
    note: "436 open-ended of 500; of several references the first is the answer, all stand in meta.references.",
  },
  {
    name: "vqa-med-2020", title: "VQA-Med 2020 (test)", role: "test", bytes: 40_000_000, licence: "none stated", source: "https://github.com/abachaa/VQA-Med-2020", credentials: null,
    note: "Size and names within the archive not verified.",
  },
  {
    name: "vqa-med-2021", title: "VQA-Med 2021 (test)", role: "test", bytes: 24_147_698, licence: "none stated", source: "https://github.com/abachaa/VQA-Med-2021", credentials: null,
    note: "The 425 questions with a single reference answer: the paper's accuracies are multiples of 1/425, so this is most likely its VQA-Med. All 500 are in vqa-med-2021-all.",
  },
  {
    name: "quilt-vqa", title: "Quilt-VQA", role: "test", bytes: 310_000_000, licence: "CC BY-NC-ND 3.0", source: "https://huggingface.co/datasets/wisdomik/Quilt_VQA", credentials: "HF_TOKEN of an account that accepted the conditions on its page",
    note: "Rows of the Parquet file with answer_type OPEN. The paper's accuracies are multiples of 1/724; that these rows are 724 could not be verified (gated).",
  },
  {
    name: "rad-vqa", title: "Rad-VQA (RadImageNet-VQA)", role: "test", bytes: 500_000_000, licence: "Apache-2.0 (card)", source: "https://huggingface.co/datasets/raidium/RadImageNet-VQA", credentials: null,
    note: "The paper's source for Rad-VQA is not stated. Taken: the benchmark's 2,000 open questions, which fits its accuracies (multiples of 1/2000). Size not verified; the hub may ask for HF_TOKEN.",
  },
  {
    name: "mimic-vqa", title: "MIMIC-VQA (MIMIC-Ext-MIMIC-CXR-VQA, test)", role: "test", bytes: null, licence: "PhysioNet Credentialed Health Data License 1.5.0", source: "https://physionet.org/content/mimic-ext-mimic-cxr-vqa/1.0.0/", credentials: "PhysioNet: your own copy, by --mimic-dir and --mimic-images",
    note: "Never fetched. The paper's source is not stated; this set is taken, and its subset of (by its accuracies) 1,724 questions is unknown: all open-ended ones are used.",
  },
];

export const groups: Readonly<Record<string, readonly string[]>> = {
  train: ["medthink", "vqa-rad", "slake", "pathvqa"],
  "test-out-of-distribution": ["pmc-vqa", "vqa-med-2021", "quilt-vqa", "rad-vqa", "mimic-vqa"],
  all: catalog.map(({ name }) => name),
};

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import sharp from "sharp";
import { afterAll, describe, expect, it } from "vitest";
import { GRPO, MRPO, START, syntheticRun } from "../../test/support/synthetic-runs.js";
import { curvesOf } from "./curves.js";
import { groupByMethod, type GalleryChain } from "./data.js";
import { renderReport, writeReport } from "./html.js";
import { selectChains } from "./select.js";
import { summaryTable } from "./summary-table.js";

const dir = mkdtempSync(join(tmpdir(), "breakwater-report-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Everything that a model, a judge or a file could say to break out of its place. */
const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(2)>' \` &amp; \u0000 \u202Eabc`;

function chain(more: Partial<GalleryChain> = {}): GalleryChain {
  const text = "<think>It is CT. No mass.</think><answer>liver</answer>";
  return {
    label: "MRPO, seed 1, step 3",
    method: "mrpo",
    example: { id: "q", image: null, question: "Where?", answer: "liver", goldReasoning: "It is MRI.", kind: "organ" },
    text,
    answer: "liver",
    steps: [
      { start: 7, end: 16 },
      { start: 17, end: 25 },
    ],
    verdict: {
      status: "judged",
      steps: [
        { alignment: 0, contribution: 0, valid: false, why: "it is an MRI" },
        { alignment: 1, contribution: 1, valid: true, inheritedFrom: 0 },
      ],
    },
    rewards: { answer: { status: "scored", value: 1 }, process: { status: "scored", value: 0.5 }, length: { status: "scored", value: -0.5 } },
    correct: true,
    advantage: 0.5,
    tokens: {
      // The second token ends step 1 and begins step 2; the last two are halves of one character's bytes.
      offsets: [
        { start: 7, end: 12 },
        { start: 12, end: 19 },
        { start: 19, end: 24 },
        { start: 24, end: 25 },
        { start: 24, end: 25 },
      ],
      advantages: [-1.5, -1, 0.5, 0.25, 0.75],
    },
    ...more,
  };
}

const run = (more: object = {}) => ({ ...syntheticRun("mrpo", 1, MRPO, { steps: 4, questions: 8 }), gallery: [], ...more });
const page = (chains: readonly GalleryChain[], more: object = {}) => {
  const source = renderReport({ title: "T", runs: [run(more)], date: new Date(0) }, chains, new Map());
  return { source, document: parseHTML(source).document };
};

describe("report", () => {
  it("shows each step with its verdict in words and shape, and each token's advantage", () => {
    const { document } = page([chain()]);
    const steps = [...document.querySelectorAll(".card .step")];
    expect(steps.map((step) => step.className)).toEqual(["step invalid", "step valid"]);
    expect(steps.map((step) => step.querySelector(".badge")?.textContent)).toEqual(["✗ invalid", "✓ valid"]);
    expect(steps.map((step) => step.querySelector(".said")?.textContent)).toEqual(["It is CT.", "No mass."]);
    expect(steps[0].querySelector(".why")?.textContent).toBe("not aligned, does not contribute: it is an MRI");
    expect(steps[1].querySelector(".why")?.textContent).toBe("aligned, contributes; repeats the error of step 1");
    const tokens = [...document.querySelectorAll(".card .said span")].map((t) => [t.textContent, t.className, t.getAttribute("title")]);
    expect(tokens).toEqual([
      ["It is", "down", "advantage −1.50"],
      [" CT.", "down", "advantage −1.00"],
      ["No", "down", "advantage −1.00"],
      [" mass", "up", "advantage +0.50"],
      [".", "up", "advantage +0.25, +0.75"],
    ]);
    expect([...document.querySelectorAll(".outside")].map((part) => part.textContent)).toEqual(["<think>", "</think><answer>liver</answer>"]);
    expect(document.querySelector(".card")?.getAttribute("data-tags")).toBe("right early");
  });

  it("says where a chain was not judged and a reward not scored", () => {
    const unscored = { status: "unscored", reason: "judge timed out" } as const;
    const { document } = page([
      chain({ verdict: unscored, correct: null, rewards: { answer: unscored, process: unscored, length: { status: "scored", value: 0 } } }),
    ]);
    expect(document.querySelector(".card")?.getAttribute("data-tags")).toBe("unscored");
    expect(document.querySelectorAll(".step.unscored")).toHaveLength(2);
    expect(document.querySelector(".card .note")?.textContent).toBe("Steps not judged: judge timed out");
  });

  it("lets no text out of its place", () => {
    const hostile = chain({
      label: HOSTILE,
      example: { id: HOSTILE, image: HOSTILE, question: HOSTILE, answer: HOSTILE, goldReasoning: HOSTILE, kind: HOSTILE },
      text: HOSTILE,
      answer: HOSTILE,
      steps: [{ start: 0, end: 30 }],
      verdict: { status: "judged", steps: [{ alignment: 0, contribution: 0, valid: false, why: HOSTILE }] },
      tokens: { offsets: [{ start: 0, end: 9 }], advantages: [1] },
    });
    const { source, document } = page([hostile], { name: HOSTILE, method: HOSTILE, config: { [HOSTILE]: HOSTILE, x: 1 } });
    expect(document.querySelectorAll("script")).toHaveLength(1);
    expect(document.querySelectorAll("img")).toHaveLength(0);
    expect([...document.querySelectorAll("*")].flatMap((element) => [...element.attributes]).filter(({ name }) => name.startsWith("on"))).toEqual([]);
    expect(document.querySelector(".question")?.textContent).toBe(HOSTILE.replace("\u0000", "\uFFFD"));
    expect(source).not.toContain("<script>alert");
    expect(source).not.toContain("\u0000");
  });

  it("asks for nothing outside itself and forbids it", () => {
    const { source, document } = page([chain()]);
    const policy = document.querySelector("meta[http-equiv]")?.getAttribute("content") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect([...document.querySelectorAll("link, iframe, object, [src], [srcset]")]).toEqual([]);
    expect([...document.querySelectorAll("[href]")].every((a) => a.getAttribute("href")?.startsWith("#"))).toBe(true);
    expect(source).not.toMatch(/url\(|@import|https?:\/\/(?!www\.w3\.org)/);
    expect(document.querySelector(".filter")?.hasAttribute("hidden")).toBe(true);
  });

  it("averages seeds by method and writes the figures' numbers", () => {
    const runs = [
      syntheticRun("start", 0, START, { steps: 0, questions: 64 }),
      ...[1, 2, 3].map((seed) => syntheticRun("grpo", seed, GRPO, { steps: 20, questions: 64 })),
    ];
    const groups = groupByMethod(runs);
    const accuracies = runs.slice(1).map(({ final }) => final?.summary.metrics.accuracy.value ?? NaN);
    const mean = accuracies.reduce((a, b) => a + b, 0) / 3;
    const sd = Math.sqrt(accuracies.reduce((a, x) => a + (x - mean) ** 2, 0) / 2);
    expect(groups[1].values.accuracy.mean).toBeCloseTo(mean, 12);
    expect(summaryTable(groups).rows[1].slice(0, 3)).toEqual(["GRPO", "3", `${(mean * 100).toFixed(1)} ± ${(sd * 100).toFixed(1)}%`]);
    expect(summaryTable(groups).rows[0][2]).toMatch(/^\d+\.\d% \[\d+\.\d, \d+\.\d\]$/);
    const accuracy = curvesOf(groups).find(({ key }) => key === "accuracy");
    expect(accuracy?.source).toBe("evaluations");
    expect(accuracy?.points.map(({ step, n }) => [step, n])).toEqual([
      [0, 3],
      [10, 3],
      [20, 3],
    ]);
    const atTen = runs.slice(1).map(({ evaluations }) => evaluations[1].accuracy ?? NaN);
    expect(accuracy?.points[1].mean).toBeCloseTo(atTen.reduce((a, b) => a + b, 0) / 3, 12);
  });

  it("writes the file with the images inside, and does without one that is gone", async () => {
    const image = join(dir, "scan.png");
    await sharp({ create: { width: 32, height: 32, channels: 3, background: "#888" } }).png().toFile(image);
    const example = chain().example;
    const path = join(dir, "report.html");
    const gallery = [chain({ example: { ...example, image } }), chain({ example: { ...example, image: join(dir, "gone.png") } })];
    await writeReport({ title: "With images", runs: [run({ gallery })] }, path);
    const { document } = parseHTML(readFileSync(path, "utf8"));
    const images = [...document.querySelectorAll("img")];
    expect(images).toHaveLength(1);
    const bytes = Buffer.from((images[0].getAttribute("src") ?? "").replace("data:image/png;base64,", ""), "base64");
    expect((await sharp(bytes).metadata()).width).toBe(220);
    expect(document.querySelector(".no-image")?.textContent).toBe("image not found");
  });

  it("takes the same number of each sort of chain where there are enough", () => {
    const right = Array.from({ length: 50 }, () => chain({ verdict: { status: "judged", steps: [] } }));
    const early = Array.from({ length: 5 }, () => chain({ correct: false }));
    const chosen = selectChains([...right, ...early], 8);
    expect(chosen).toHaveLength(8);
    expect(chosen.filter(({ correct }) => correct === false)).toHaveLength(4);
    expect(selectChains(early, 99)).toEqual(early);
  });
});

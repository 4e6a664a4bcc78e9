import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { paletteOf } from "./palette.js";
import { accumulationPlot, curvePlot, stagePlot } from "./plots.js";

const palette = paletteOf(["start", "grpo", "mrpo"]);
const svgOf = (source: string) => parseHTML(`<!doctype html><body>${source}</body>`).document;

describe("plots", () => {
  it("draws a curve's points at their values, a band where there is a spread, one colour a method", () => {
    const document = svgOf(
      curvePlot(
        [
          { method: "grpo", step: 0, mean: 0.2, sd: 0.05, n: 3 },
          { method: "grpo", step: 10, mean: 0.6, sd: 0.05, n: 3 },
          { method: "mrpo", step: 0, mean: 0.2, sd: null, n: 1 },
          { method: "mrpo", step: 10, mean: 0.8, sd: null, n: 1 },
        ],
        { title: "Accuracy", unit: "share", palette },
      ),
    );
    const titles = [...document.querySelectorAll("circle title")].map((title) => title.textContent);
    expect(titles).toEqual(["grpo, step 0: 20%", "grpo, step 10: 60%", "mrpo, step 0: 20%", "mrpo, step 10: 80%"]);
    const y = [...document.querySelectorAll("circle")].map((dot) => Number(dot.getAttribute("cy")));
    expect(y[0]).toBeCloseTo(y[2], 6);
    // Equal steps of value are equal steps on the page: 20 → 80 is 1.5 times 20 → 60.
    expect((y[2] - y[3]) / (y[0] - y[1])).toBeCloseTo(1.5, 6);
    expect(document.querySelectorAll('[aria-label="area"]')).toHaveLength(1);
    const strokes = [...document.querySelectorAll('[aria-label="line"]')].map((line) => line.getAttribute("stroke"));
    expect(strokes).toEqual([palette.color("grpo"), palette.color("mrpo")]);
    expect(document.querySelector("svg")?.getAttribute("aria-label")).toBe("Accuracy by training step");
  });

  it("splits bars by the shares and writes them where they fit", () => {
    const document = svgOf(stagePlot([{ method: "GRPO", early: 0.6, mid: 0.39, late: 0.01 }], { title: "Stages" }));
    const widths = [...document.querySelectorAll("rect")].map((bar) => Number(bar.getAttribute("width")));
    // One pixel is left between parts.
    expect((widths[0] + 1) / (widths[1] + 1)).toBeCloseTo(0.6 / 0.39, 6);
    expect((widths[1] + 1) / (widths[2] + 1)).toBeCloseTo(39, 4);
    const texts = [...document.querySelectorAll("text")].map((text) => text.textContent);
    expect(texts).toContain("60.0%");
    expect(texts).not.toContain("1.0%");
  });

  it("draws whiskers and names empty bins", () => {
    const document = svgOf(
      accumulationPlot(
        [
          { method: "grpo", bin: 0, value: 0.5, low: 0.4, high: 0.7 },
          { method: "mrpo", bin: 0, value: 0.25, low: null, high: null },
        ],
        ["0–0.5", "0.5–1"],
        { title: "FAR", palette },
      ),
    );
    expect([...document.querySelectorAll("circle title")].map((title) => title.textContent)).toEqual(["grpo, 0–0.5: 50.0%", "mrpo, 0–0.5: 25.0%"]);
    const [dot] = document.querySelectorAll("circle");
    const whisker = [...document.querySelectorAll('[aria-label="rule"] line')].find((line) => line.getAttribute("x1") === dot.getAttribute("cx"));
    const length = Math.abs(Number(whisker?.getAttribute("y1")) - Number(whisker?.getAttribute("y2")));
    const axis = Math.abs(Number(dot.getAttribute("cy")) - Number(document.querySelectorAll("circle")[1].getAttribute("cy")));
    expect(length / axis).toBeCloseTo(0.3 / 0.25, 6);
    expect([...document.querySelectorAll("text")].filter((text) => text.textContent === "no chains")).toHaveLength(1);
  });

  it("keeps a method's colour whatever else is shown, and resolves it for pictures outside the page", () => {
    expect(palette.declarations("light")).toContain("#0072b2");
    expect(palette.resolve(`stroke="${palette.color("grpo")}"`, "light")).toBe('stroke="#0072b2"');
    expect(paletteOf(["mrpo", "grpo"]).resolve(paletteOf(["mrpo", "grpo"]).color("grpo"), "light")).toBe("#0072b2");
    const other = paletteOf(["linear decay", "own fact"]);
    expect(other.declarations("light").match(/#[0-9a-f]{6}/g)?.length).toBe(2);
    expect(() => palette.color("nobody")).toThrow(RangeError);
  });
});

import { describe, expect, it } from "vitest";
import { formatDifference, formatEstimate, formatMeanSpread, formatValue, meanSpread } from "./format.js";
import { escapeHtml, html } from "./markup.js";
import { htmlTable, markdownTable, terminalTable, type Table } from "./tables.js";

const table: Table = {
  columns: [
    { title: "Method", align: "left" },
    { title: "Accuracy", align: "right" },
  ],
  rows: [
    ["GRPO", "71.7 ± 1.0%"],
    ["a|b <i>", "5.0% [4.1, 5.9]"],
  ],
};

describe("tables", () => {
  it("pads the terminal table by characters", () => {
    expect(terminalTable(table).split("\n")).toEqual([
      "Method          Accuracy",
      "───────  ───────────────",
      "GRPO         71.7 ± 1.0%",
      "a|b <i>  5.0% [4.1, 5.9]",
    ]);
    const evil: Table = { columns: [{ title: "x", align: "left" }], rows: [["\u001b[31mred"]] };
    expect(terminalTable(evil)).not.toContain("\u001b");
  });

  it("escapes Markdown and HTML", () => {
    expect(markdownTable(table).split("\n")).toEqual([
      "| Method | Accuracy |",
      "|---|---:|",
      "| GRPO | 71.7 ± 1.0% |",
      "| a\\|b &lt;i&gt; | 5.0% [4.1, 5.9] |",
    ]);
    const source = htmlTable(table, "c").source;
    expect(source).toContain("a|b &#60;i&#62;");
    expect(source).toContain('5.0% <span class="interval">[4.1, 5.9]</span>');
  });
});

describe("formats", () => {
  it("writes values, intervals, spreads and differences", () => {
    expect(formatValue(0.4312, "share")).toBe("43.1%");
    expect(formatValue(5.234, "number")).toBe("5.23");
    expect(formatValue(null, "share")).toBe("–");
    expect(formatValue(-0.0001, "share")).toBe("0.0%");
    expect(formatEstimate({ value: 0.5, low: 0.4, high: 0.61, n: 9 }, "share")).toBe("50.0% [40.0, 61.0]");
    expect(formatDifference({ value: 0.021, low: 0.003, high: 0.039, n: 9 }, "share")).toBe("+2.1 [+0.3, +3.9] *");
    expect(formatDifference({ value: -0.02, low: -0.05, high: 0.01, n: 9 }, "share")).toBe("−2.0 [−5.0, +1.0]");
    expect(formatMeanSpread(meanSpread([0.7, 0.72, 0.74]), "share")).toBe("72.0 ± 2.0%");
    expect(formatMeanSpread(meanSpread([0.7, null]), "share")).toBe("70.0%");
    expect(meanSpread([null, undefined, NaN])).toEqual({ mean: null, sd: null, n: 0 });
  });

  it("escapes what is interpolated and nothing twice", () => {
    expect(html`<p title="${'"'}">${["<", html`<b>${"&"}</b>`]}</p>`.source).toBe('<p title="&#34;">&#60;<b>&#38;</b></p>');
    expect(escapeHtml("a\u0007b\uD800c😀")).toBe("a\uFFFDb\uFFFDc😀");
  });
});

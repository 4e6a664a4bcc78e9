import sharp from "sharp";
import type { DataStatistics } from "../datasets/check/statistics.js";
import type { DataRow } from "../datasets/check/rows.js";
import { loadImage } from "../images/load.js";
import { html, trusted, type Markup } from "../report/markup.js";
import { htmlTable } from "../report/tables.js";
import { setTable } from "./data-tables.js";

/** Longest side of a picture in the sheet, pixels: shown at half, for dense screens. */
const SIDE = 400;

/** One self-contained page: counts, then examples with picture, question, answer and gold reasoning. */
export async function contactSheet(title: string, rows: readonly DataRow[], total: number, statistics: DataStatistics): Promise<string> {
  const sources = new Map<string, Promise<string | null>>();
  const cards: Markup[] = [];
  for (const row of rows) {
    const path = row.image?.path ?? null;
    if (path !== null && !sources.has(path)) sources.set(path, thumbnail(path));
    cards.push(card(row, path === null ? null : ((await sources.get(path)) ?? null)));
  }
  const list = (name: string, counts: readonly (readonly [string | number | null, number])[]) =>
    counts.length === 0 ? null : html`<section><h2>${name}</h2><ul class="bars">${counts.slice(0, 14).map(([what, count]) => bar(what, count, Math.max(...counts.map(([, n]) => n))))}</ul></section>`;
  const page = html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${title}</title><style>${trusted(STYLE)}</style></head><body><main>
<h1>${title}</h1><p class="muted">${rows.length} of ${total} examples, spread evenly.</p>
${htmlTable(setTable(statistics), "Sets")}
<div class="counts">${list("Question kinds", statistics.kinds)}${list("Answers", statistics.answerLengths)}${list("Steps of gold reasoning", statistics.stepCounts)}${list("Images by longest side, pixels", statistics.imageSizes)}</div>
<div class="sheet">${cards}</div></main></body></html>`;
  return `${page.source}\n`;
}

function bar(what: string | number | null, count: number, most: number): Markup {
  return html`<li><span class="what">${what ?? "none"}</span><span class="bar" style="width:${((count / most) * 50).toFixed(1)}%"></span><span class="count">${count}</span></li>`;
}

function card(row: DataRow, source: string | null): Markup {
  const picture =
    source !== null
      ? html`<img src="${source}" alt="" loading="lazy">`
      : html`<div class="gone">${row.image === null ? "no image" : row.image.path === null ? "image is missing" : "image cannot be read"}</div>`;
  return html`<article>${picture}<div class="text"><p class="q">${row.question}</p><p class="a">${row.answer}</p>${
    row.goldReasoning === null ? null : html`<details><summary>gold reasoning</summary><p>${row.goldReasoning}</p></details>`
  }<p class="id">${row.set} · ${row.id}${row.kind === null ? "" : ` · ${row.kind}`}</p></div></article>`;
}

async function thumbnail(path: string): Promise<string | null> {
  try {
    const { data, width, height } = await loadImage(path);
    const small = Math.max(width, height) <= 128;
    const picture = sharp(data, { raw: { width, height, channels: 3 } }).resize(SIDE, SIDE, { fit: "inside", withoutEnlargement: !small, kernel: small ? "nearest" : "lanczos3" });
    const [bytes, type] = small ? [await picture.png({ palette: true }).toBuffer(), "png"] : [await picture.jpeg({ quality: 78 }).toBuffer(), "jpeg"];
    return `data:image/${type};base64,${bytes.toString("base64")}`;
  } catch {
    return null;
  }
}

const STYLE = `:root{color-scheme:light dark;--page:#f6f7f9;--surface:#fff;--ink:#1b1f27;--muted:#5a6373;--line:#dde1e8;--bar:#4d8fc4}
@media (prefers-color-scheme:dark){:root{--page:#11141a;--surface:#191d25;--ink:#e6e9ef;--muted:#9aa4b5;--line:#2e3542;--bar:#5f9dc6}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1240px;margin:0 auto;padding:28px 20px 56px}h1{font-size:26px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:15px;margin:0 0 6px}p{margin:0}
.muted,figcaption,.id{color:var(--muted);font-size:13px}figure{margin:16px 0}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:14px;background:var(--surface)}th,td{padding:5px 12px;border-bottom:1px solid var(--line);text-align:left;font-weight:400;white-space:nowrap}
thead th{font-weight:600}.right{text-align:right;font-variant-numeric:tabular-nums}
.counts{display:grid;grid-template-columns:repeat(auto-fit,minmax(250px,1fr));gap:18px;margin:18px 0 24px}
.bars{list-style:none;margin:0;padding:0;font-size:13px}.bars li{display:flex;align-items:center;gap:8px;margin:2px 0}.what{flex:0 0 38%;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.bar{background:var(--bar);height:9px;border-radius:2px;min-width:2px}.count{font-variant-numeric:tabular-nums;color:var(--muted)}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(215px,1fr));gap:14px}
article{background:var(--surface);border:1px solid var(--line);border-radius:8px;overflow:hidden;display:flex;flex-direction:column}
article img,.gone{width:100%;height:200px;object-fit:contain;background:#000;display:block;image-rendering:auto}
.gone{color:#ccc;display:flex;align-items:center;justify-content:center;background:repeating-linear-gradient(45deg,#333,#333 8px,#2a2a2a 8px,#2a2a2a 16px)}
.text{padding:10px 12px;display:flex;flex-direction:column;gap:6px;flex:1;overflow-wrap:anywhere}.a{font-weight:600}.id{margin-top:auto}
details p{font-size:13px;margin-top:4px}summary{cursor:pointer;font-size:13px;color:var(--muted)}`;

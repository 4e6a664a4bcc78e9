import type { Palette } from "./palette.js";

/** The report's style sheet: system fonts, both colour schemes, wide figures that shrink to a phone's width. */
export function styleSheet(palette: Palette): string {
  const light = `${LIGHT}${palette.declarations("light")}`;
  const dark = `${DARK}${palette.declarations("dark")}`;
  return `:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${dark}}}
:root[data-theme=dark]{color-scheme:dark;${dark}}
:root[data-theme=light]{color-scheme:light}
${RULES}`;
}

const LIGHT =
  "--page:#f6f7f9;--surface:#fff;--ink:#1b1f27;--muted:#5a6373;--line:#dde1e8;--soft:#eef1f5;--link:#0b5cad;" +
  "--valid:#13733f;--invalid:#b3261e;--unscored:#6b5b00;--valid-bg:#e5f4ea;--invalid-bg:#fce9e7;--unscored-bg:#f7f1d6;" +
  "--up:#0072b2;--down:#d55e00;--early:#a3341f;--mid:#e0a03a;--late:#5b93b8;--on-early:#fff;--on-mid:#1b1f27;--on-late:#10202b;";

const DARK =
  "--page:#11141a;--surface:#191d25;--ink:#e6e9ef;--muted:#9aa4b5;--line:#2e3542;--soft:#222834;--link:#7ab8f5;" +
  "--valid:#6fd49a;--invalid:#ff8f84;--unscored:#e3cd6a;--valid-bg:#163324;--invalid-bg:#3d1c1a;--unscored-bg:#352f14;" +
  "--up:#56b4e9;--down:#ff9a4d;--early:#d9604a;--mid:#e3ac4e;--late:#5f9dc6;--on-early:#1a0703;--on-mid:#1b1305;--on-late:#07141d;";

const RULES = `*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:21px;line-height:1.3;margin:44px 0 6px}
h3{font-size:16px;margin:0 0 2px}
p{margin:6px 0 12px;max-width:76ch}
a{color:var(--link)}
.lede{color:var(--muted);font-size:17px;margin-bottom:14px}
.muted,figcaption,.note{color:var(--muted);font-size:14px}
nav.toc{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:14px;margin:14px 0 0}
.panel,figure{background:var(--surface);border:1px solid var(--line);border-radius:10px;padding:16px 18px;margin:12px 0}
figure{min-width:0}
figure>svg{width:100%;height:auto;--plot-background:var(--surface);color:var(--ink)}
svg.narrow{display:none}
figure figcaption{margin:2px 0 0}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,360px),1fr));gap:14px}
.grid figure{margin:0}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:10px 0;padding:0;font-size:14px}
.legend li{display:flex;align-items:center;gap:7px}
.legend svg{flex:none}
.swatch{width:14px;height:14px;border-radius:3px;flex:none}
figure.table{padding:0}
figure.table>figcaption{padding:12px 16px 8px;margin:0;max-width:90ch}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:7px 12px;border-top:1px solid var(--line);white-space:nowrap;text-align:left;vertical-align:top}
thead th{color:var(--muted);font-weight:600;white-space:normal;vertical-align:bottom;line-height:1.3}
th:first-child,td:first-child{padding-left:16px}
th:last-child,td:last-child{padding-right:16px}
th.right,td.right{text-align:right}
tbody th{font-weight:600}
.interval{display:block;color:var(--muted);font-size:12.5px}
details{margin:10px 0}
summary{cursor:pointer;color:var(--link);font-size:14px}
td.config{white-space:normal;overflow-wrap:anywhere}
.filter{display:flex;flex-wrap:wrap;gap:8px;margin:12px 0}
.filter[hidden]{display:none}
.filter button{font:inherit;font-size:14px;padding:4px 14px;border:1px solid var(--line);border-radius:999px;background:var(--surface);color:var(--ink);cursor:pointer}
.filter button[aria-pressed=true]{background:var(--ink);color:var(--page);border-color:var(--ink)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.gallery{list-style:none;margin:14px 0;padding:0;display:grid;gap:16px}
.card{background:var(--surface);border:1px solid var(--line);border-radius:10px;padding:14px 18px;min-width:0}
.card[hidden]{display:none}
.card header{display:flex;flex-wrap:wrap;align-items:center;gap:6px 12px;font-size:14px;margin-bottom:10px}
.who{font-weight:600}
.kind{color:var(--muted)}
.card header .badge{margin-left:auto}
.card-body{display:grid;grid-template-columns:220px minmax(0,1fr);gap:20px}
.scene img{display:block;width:100%;height:auto;max-height:260px;object-fit:contain;background:#000;border-radius:6px;image-rendering:auto}
.no-image{display:grid;place-items:center;height:120px;margin:0;border:1px dashed var(--line);border-radius:6px;color:var(--muted);font-size:14px}
.question{font-weight:600;margin:10px 0 6px;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:2px 10px;margin:0;font-size:14px}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
.scene details p{font-size:14px;overflow-wrap:anywhere}
.steps{list-style:none;margin:0;padding:0;display:grid;gap:6px}
.step{display:grid;grid-template-columns:1.6em auto minmax(0,1fr);gap:2px 10px;align-items:baseline;border-left:4px solid;border-radius:4px;padding:6px 10px;background:var(--soft)}
.step.valid{border-color:var(--valid)}
.step.invalid{border-color:var(--invalid);border-left-style:double}
.step.unscored{border-color:var(--unscored);border-left-style:dashed}
.place{color:var(--muted);font-variant-numeric:tabular-nums;text-align:right}
.badge{display:inline-block;font-size:12px;font-weight:600;line-height:1.5;padding:0 8px;border-radius:999px;white-space:nowrap}
.step .badge{min-width:74px;text-align:center}
.badge.valid{color:var(--valid);background:var(--valid-bg)}
.badge.invalid{color:var(--invalid);background:var(--invalid-bg)}
.badge.unscored{color:var(--unscored);background:var(--unscored-bg)}
.said{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate}
.why{grid-column:3;color:var(--muted);font-size:13px}
.outside{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px;color:var(--muted);padding:0 10px}
.up{background:color-mix(in srgb,var(--up) calc(var(--a)*.5),transparent)}
.down{background:color-mix(in srgb,var(--down) calc(var(--a)*.5),transparent)}
.scale{display:inline-block;width:120px;height:12px;border-radius:3px;vertical-align:-1px;background:linear-gradient(90deg,color-mix(in srgb,var(--down) 50%,transparent),transparent,color-mix(in srgb,var(--up) 50%,transparent));border:1px solid var(--line)}
@media (max-width:640px){main{padding:20px 14px 48px}h1{font-size:25px}.panel,figure,.card{padding:12px}.card-body{grid-template-columns:minmax(0,1fr)}.scene img{max-width:220px}figure>svg.wide{display:none}figure>svg.narrow{display:block}th,td{padding:6px 10px}.step{grid-template-columns:1.2em minmax(0,1fr)}.step .badge{justify-self:start}.step .said,.step .why{grid-column:2}}
@media print{.filter{display:none}body{background:#fff}.card,figure{break-inside:avoid}}`;

/**
 * One colour, dash and order per method, the same in every figure and table. Hues keep apart under the common colour
 * blindnesses (after Okabe & Ito 2008); dashes tell lines apart without any colour.
 */
export interface MethodStyle {
  readonly light: string;
  readonly dark: string;
  /** SVG stroke-dasharray; empty is solid. */
  readonly dash: string;
}

const KNOWN: Readonly<Record<string, MethodStyle>> = {
  start: { light: "#6b7280", dark: "#9ca3af", dash: "2 3" },
  base: { light: "#6b7280", dark: "#9ca3af", dash: "2 3" },
  sft: { light: "#8a5a9e", dark: "#c39bd3", dash: "8 3" },
  grpo: { light: "#0072b2", dark: "#56b4e9", dash: "" },
  gdpo: { light: "#00805f", dark: "#34c99b", dash: "5 2 1 2" },
  mrpo: { light: "#c94f00", dark: "#ff9a4d", dash: "" },
};

const OTHERS: readonly MethodStyle[] = [
  { light: "#9a7400", dark: "#e6c229", dash: "6 2" },
  { light: "#b0307a", dark: "#f08cc0", dash: "3 2" },
  { light: "#3f4bb8", dark: "#a3adff", dash: "7 2 2 2" },
  { light: "#4b7a14", dark: "#a6d854", dash: "4 4" },
  { light: "#7a4a2b", dark: "#d9a581", dash: "1 3" },
  { light: "#00737d", dark: "#5fd3de", dash: "9 2" },
];

export interface Palette {
  /** Methods in the order given. */
  readonly methods: readonly string[];
  /** CSS colour for a method: a variable that the page's light and dark themes define. */
  color(method: string): string;
  dash(method: string): string;
  /** Declarations of the variables, for a rule's body. */
  declarations(theme: "light" | "dark"): string;
  /** Replaces the variables by their values, for a picture outside the page. */
  resolve(source: string, theme: "light" | "dark"): string;
}

/** Styles for the methods of one report; methods that are not known take the spare ones in order of appearance. */
export function paletteOf(methods: readonly string[]): Palette {
  const distinct = [...new Set(methods)];
  let spare = 0;
  const styles = distinct.map((method) => KNOWN[method.toLowerCase()] ?? OTHERS[spare++ % OTHERS.length]);
  const indexOf = (method: string) => {
    const at = distinct.indexOf(method);
    if (at < 0) throw new RangeError(`method ${method} is not in the palette of this report`);
    return at;
  };
  return {
    methods: distinct,
    color: (method) => `var(--m${indexOf(method)})`,
    dash: (method) => styles[indexOf(method)].dash,
    declarations: (theme) => styles.map((style, i) => `--m${i}:${style[theme]};`).join(""),
    resolve: (source, theme) => source.replace(/var\(--m(\d+)\)/g, (_, i: string) => styles[Number(i)][theme]),
  };
}

/** A method's name in print: abbreviations in capitals, everything else as given. */
export function methodLabel(method: string): string {
  return /^(sft|grpo|gdpo|mrpo)$/i.test(method) ? method.toUpperCase() : method;
}

import type { z } from "zod";
import { trainSchema } from "./schema.js";

/** One leaf of the configuration: a key path such as `sampling.groupSize`. */
export interface ConfigKey {
  readonly path: string;
  readonly kind: "string" | "number" | "boolean" | "list";
  /** Allowed values of an enumerated key. */
  readonly choices: readonly string[] | null;
  /** `undefined` where the key may be absent. */
  readonly defaultValue: unknown;
  readonly description: string;
}

/** What zod's classic types share; walked instead of listing the keys a second time. */
interface Node {
  readonly description?: string;
  readonly def: {
    readonly type: string;
    readonly innerType?: Node;
    readonly defaultValue?: unknown;
    readonly shape?: Readonly<Record<string, Node>>;
    readonly entries?: Readonly<Record<string, string>>;
  };
}

/** All leaves of the schema in its order. */
export function configKeys(schema: z.ZodType = trainSchema): ConfigKey[] {
  return leaves(schema, []);
}

/** `sampling.groupSize` → `--sampling.group-size`. */
export function flagOf(path: string): string {
  return `--${path.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** As a user would type it: lists with commas. */
export function showValue(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}

function leaves(node: Node, path: readonly string[]): ConfigKey[] {
  let inner = node;
  let defaultValue: unknown;
  let description = node.description;
  while (inner.def.innerType !== undefined) {
    if (inner.def.type === "default") defaultValue = inner.def.defaultValue;
    inner = inner.def.innerType;
    description ??= inner.description;
  }
  if (inner.def.shape !== undefined) {
    return Object.entries(inner.def.shape).flatMap(([key, child]) => leaves(child, [...path, key]));
  }
  const kinds: Readonly<Record<string, ConfigKey["kind"]>> = { number: "number", boolean: "boolean", array: "list" };
  return [
    {
      path: path.join("."),
      kind: kinds[inner.def.type] ?? "string",
      choices: inner.def.entries === undefined ? null : Object.values(inner.def.entries),
      defaultValue,
      description: description ?? "",
    },
  ];
}

import { readFileSync } from "node:fs";
import { messageOf, UserError } from "./errors.js";

export type JsonObject = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws UserError where the file is missing, is not JSON or holds no object; it ends with `wayOut`. */
export function readJsonObject(path: string, wayOut: string): JsonObject {
  const value = readJson(path, wayOut);
  if (!isRecord(value)) throw new UserError(`${path} holds no JSON object. ${wayOut}`);
  return value;
}

/** @throws UserError where the file is missing or is not JSON (NaN and Infinity are not); it ends with `wayOut`. */
export function readJson(path: string, wayOut: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`Cannot read ${path}: ${messageOf(error)}. ${wayOut}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path} is not valid JSON: ${messageOf(error)}. ${wayOut}`);
  }
}

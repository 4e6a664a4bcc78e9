/** Leaves of a configuration as `["optimizer.learningRate", "0.0001"]`; a list is one leaf. */
export function flatten(value: unknown, path = ""): [string, string][] {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, inner]) => flatten(inner, path === "" ? key : `${path}.${key}`));
  }
  return path === "" ? [] : [[path, typeof value === "string" ? value : (JSON.stringify(value) ?? "")]];
}

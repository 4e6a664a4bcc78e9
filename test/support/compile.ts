import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../..", import.meta.url));
const cache = join(root, "node_modules", ".cache");
const prefix = "breakwater-test-";
/** How long a folder that nobody uses is kept. */
const keptMs = 24 * 3600 * 1000;

let folder: string | null = null;

/**
 * The folder of src/ and test/support/ compiled (types stripped, nothing checked), for tests that start them as a process
 * of their own. Named by the contents of the sources and shared by all tests: made once, whole or not at all.
 */
export function compiledSources(): string {
  if (folder !== null) return folder;
  const sources = readSources();
  const hash = createHash("sha256").update(JSON.stringify([ts.version, ...sources])).digest("hex");
  const shared = join(cache, prefix + hash.slice(0, 16));
  if (!existsSync(shared)) {
    const made = compile(sources);
    try {
      renameSync(made, shared);
    } catch (error) {
      rmSync(made, { recursive: true, force: true });
      // Another test was faster.
      if (!existsSync(shared)) throw error;
    }
  }
  utimesSync(shared, new Date(), new Date());
  removeUnused();
  return (folder = shared);
}

/** Names and texts, in order. */
function readSources(): (readonly [name: string, text: string])[] {
  return ["src", "test/support"].flatMap((part) =>
    readdirSync(join(root, part), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .sort()
      .map((name) => [join(part, name), readFileSync(join(root, part, name), "utf8")] as const),
  );
}

function compile(sources: ReturnType<typeof readSources>): string {
  mkdirSync(cache, { recursive: true });
  const out = mkdtempSync(join(cache, prefix));
  writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module", version: "0.0.0" }));
  for (const [name, text] of sources) {
    const target = join(out, name.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(target), { recursive: true });
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true },
    });
    writeFileSync(target, outputText);
  }
  return out;
}

/** Folders of earlier sources, and what a killed test left half made. */
function removeUnused(): void {
  for (const name of readdirSync(cache).filter((entry) => entry.startsWith(prefix))) {
    const { mtimeMs } = statSync(join(cache, name), { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > keptMs) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

/** The command as a process of its own: compiled once, started with arguments and an input, ended with its output. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { compiledSources } from "./compile.js";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, as they came. */
  readonly output: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface StartOptions {
  /** Folder that relative paths start at. */
  readonly cwd?: string;
  /** Added to this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export const command = "src/cli/main.js";

/** Starts a compiled file: `command`, or a program of test/support. */
export function startCompiled(script: string, args: readonly string[], { cwd, environment, input = "" }: StartOptions = {}): Started {
  const child = spawn(process.execPath, [join(compiledSources(), script), ...args], { cwd, env: { ...process.env, ...environment } });
  let [stdout, stderr, output] = ["", "", ""];
  child.stdout.on("data", (data: Buffer) => ((stdout += data.toString()), (output += data.toString())));
  child.stderr.on("data", (data: Buffer) => ((stderr += data.toString()), (output += data.toString())));
  const ended = new Promise<Ended>((done, failed) => {
    child.on("error", failed);
    child.on("close", (code, signal) => done({ code, signal, stdout, stderr, output }));
  });
  child.stdin.end(input);
  return { child, ended };
}

export type Cli = (args: readonly string[], input?: string) => Promise<Ended>;

/** A folder for the tests of a file, removed after them, and the command run in it. */
export function commandFolder(name: string, environment: Readonly<Record<string, string>> = {}): { readonly folder: string; readonly cli: Cli } {
  const folder = mkdtempSync(join(tmpdir(), `breakwater-${name}-`));
  beforeAll(() => void compiledSources(), 400_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, cli: (args, input) => startCompiled(command, args, { cwd: folder, environment, input }).ended };
}

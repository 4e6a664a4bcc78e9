/** The command as a process: compiled once, started with arguments and an input, ended with its output. */
import { spawn } from "node:child_process";
import { join } from "node:path";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Cli = (args: readonly string[], input?: string) => Promise<Ended>;

/** @param compiled what `compileForProcess` returned. @param cwd folder that relative paths start at.
 * @param environment added to this process's own. */
export function commandIn(compiled: string, cwd: string, environment: Readonly<Record<string, string>> = {}): Cli {
  return (args, input = "") =>
    new Promise((done, failed) => {
      const child = spawn(process.execPath, [join(compiled, "src/cli/main.js"), ...args], { cwd, env: { ...process.env, ...environment } });
      let stdout = "";
      let stderr = "";
      child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
      child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
      child.on("error", failed);
      child.on("close", (code) => done({ code, stdout, stderr }));
      child.stdin.end(input);
    });
}

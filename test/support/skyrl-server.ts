/** SkyRL's Tinker server (PyPI package, JAX on CPU) as a process of its own, for tests. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Outlives the checkout: the server is large, and what it has compiled is the same everywhere. */
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "breakwater");
const scripts = join(root, "interop", "skyrl");

/** The interpreter that has the server: BREAKWATER_SKYRL_PYTHON, or what interop/skyrl/setup.sh installed; null without. */
export function skyrlPython(): string | null {
  const python = process.env.BREAKWATER_SKYRL_PYTHON ?? join(cache, "skyrl", "bin", "python");
  if (process.env.BREAKWATER_SKYRL_PYTHON === undefined && !existsSync(python)) return null;
  const found = spawnSync(python, ["-c", "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ('skyrl', 'jax', 'tinker'))))"]).status === 0;
  return found ? python : null;
}

export const skipMessage = "skipped: no Python with SkyRL's server (interop/skyrl/setup.sh installs it; or set BREAKWATER_SKYRL_PYTHON)";

export interface ServerOptions {
  readonly python: string;
  /** A Qwen3 checkpoint (text only). */
  readonly model: string;
  /** Database, checkpoints, log. */
  readonly folder: string;
  readonly port?: number;
  readonly backend?: Readonly<Record<string, unknown>>;
  readonly sessionTimeout?: number;
  /** Seconds between the engine's look for passes and that for steps. */
  readonly pause?: number;
  /** Compile fast code slowly (false) or slow code fast: for tests that compute little. */
  readonly quickCompile?: boolean;
}

export class SkyrlServer {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    private readonly options: ServerOptions,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  static async start(options: ServerOptions): Promise<SkyrlServer> {
    const port = options.port ?? (await freePort());
    const backend = { max_lora_adapters: 12, max_lora_rank: 16, train_micro_batch_size: 1, sample_max_num_sequences: 8, ...options.backend };
    const log = openSync(join(options.folder, "server.log"), "a");
    const args = [join(scripts, "serve.py"), "--base-model", options.model, "--port", String(port), "--root", options.folder, "--backend-config", JSON.stringify(backend)];
    if (options.sessionTimeout !== undefined) args.push("--session-timeout", String(options.sessionTimeout));
    if (options.pause !== undefined) args.push("--pause", String(options.pause));
    // What one server has compiled the next need not compile again.
    const env = { ...process.env, ...(options.quickCompile ? { XLA_FLAGS: "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true" } : {}), JAX_COMPILATION_CACHE_DIR: join(cache, "skyrl-jit"), JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS: "0", JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES: "-1" };
    // A process group of its own: the server has its engine as a child, and both are to be killed.
    const child = spawn(options.python, args, { detached: true, stdio: ["ignore", log, log], env });
    const server = new SkyrlServer(child, port, options);
    await server.ready();
    return server;
  }

  /** Kills server and engine at once, as a crash or a power cut would. */
  async kill(): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((done) => this.child.once("exit", done));
    process.kill(-pid, "SIGKILL");
    await ended;
  }

  /** The same server again: same port, database and checkpoints. */
  restart(): Promise<SkyrlServer> {
    return SkyrlServer.start({ ...this.options, port: this.port });
  }

  private async ready(): Promise<void> {
    const deadline = Date.now() + 100_000;
    for (;;) {
      if (this.child.exitCode !== null) throw new Error(`the server ended with ${this.child.exitCode}:\n${readFileSync(join(this.options.folder, "server.log"), "utf8").slice(-2000)}`);
      const answer = await fetch(`${this.url}/api/v1/healthz`).catch(() => null);
      if (answer?.ok) return;
      if (Date.now() > deadline) throw new Error("the server did not become ready");
      await new Promise((done) => setTimeout(done, 200));
    }
  }
}

/** Writes the decoder of a Qwen3-VL folder as a Qwen3 checkpoint. */
export function writeTextCheckpoint(python: string, from: string, to: string): void {
  const { status, stderr } = spawnSync(python, [join(scripts, "text_checkpoint.py"), from, to], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? done(address.port) : failed(new Error("no port"))));
    });
  });
}

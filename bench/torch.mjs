// The same work in PyTorch: one Python process, asked by lines of JSON, idle while our engine runs.
import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const python = process.env.BREAKWATER_PYTHON ?? "python3";

export function hasTorch() {
  const check = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ('torch', 'transformers', 'safetensors'))))";
  return spawnSync(python, ["-c", check], { stdio: "ignore" }).status === 0;
}

export class TorchPeer {
  #waiting = [];

  constructor(folder, dataFile) {
    this.child = spawn(python, [fileURLToPath(new URL("torch_step.py", import.meta.url)), folder, dataFile], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.child.stdout }).on("line", (line) => this.#waiting.shift()?.resolve(JSON.parse(line)));
    this.child.on("exit", (code) => this.#waiting.forEach(({ reject }) => reject(new Error(`${python} ended with code ${code}`))));
  }

  /** Answers of the process, in order. @param {object} request {"do": "train" | "generate", …} */
  ask(request) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  close() {
    this.child.stdin.end();
  }
}

// Makes a bare clone ready: installs what package-lock.json names where it is missing or older, then builds.
import { execFileSync, execSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const installed = `${root}/node_modules/.package-lock.json`;
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 9)) {
  console.error(`breakwater needs Node 20.9 or newer; this is ${process.version}`);
  process.exit(1);
}
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(`${root}/package-lock.json`).mtimeMs) {
  console.error("installing dependencies (npm ci) …");
  execSync("npm ci --no-audit --no-fund --loglevel=error", { cwd: root, stdio: ["ignore", 2, 2] });
}
execFileSync(process.execPath, [`${root}/scripts/build.mjs`], { cwd: root, stdio: "inherit" });

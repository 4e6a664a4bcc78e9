// onnxruntime-node's own install script downloads CUDA libraries and fails where only the npm registry is reached; npm
// then drops the (optional) package. Its CPU library ships inside the npm package, so it is installed here without that
// download. Nothing is done where it is present, and nothing here fails an installation: all but the local engine works.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(join(root, "package.json"));
const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const version = optionalDependencies["onnxruntime-node"];

// npm drops an optional package whose script failed only after all scripts have run: then it is still here, without the
// file that its script was to bring.
function stays() {
  let folder;
  try {
    folder = dirname(require.resolve("onnxruntime-node/package.json"));
  } catch {
    return false;
  }
  const { env, platform, arch } = process;
  const skipped = [env.npm_config_onnxruntime_node_install, env.ONNXRUNTIME_NODE_INSTALL, env.ONNXRUNTIME_NODE_INSTALL_CUDA].includes("skip");
  const downloads = platform === "linux" && arch === "x64" && !skipped && env.npm_config_ignore_scripts !== "true";
  return !downloads || existsSync(join(folder, "bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so"));
}

// Only as an installed package: a checkout's .npmrc skips the download already.
if (!existsSync(join(root, "src")) && !stays()) {
  const target = join(root, "vendor");
  const args = ["install", "--prefix", target, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", `onnxruntime-node@${version}`];
  const npm = process.env.npm_execpath;
  const result = npm ? spawnSync(process.execPath, [npm, ...args], { stdio: "inherit" }) : spawnSync("npm", args, { stdio: "inherit", shell: process.platform === "win32" });
  if (result.status !== 0) {
    console.error(`breakwater: ONNX Runtime could not be installed; the local engine needs it: npm install onnxruntime-node@${version} --ignore-scripts`);
  }
}

/** A stage imports the shared vocabulary, util/ and interfaces; only the training loop and the CLI join stages. */
const stages = "steps|rewards|judges|advantages|rollouts|prompts|datasets|checkpoints|images|tokenizer";
module.exports = {
  forbidden: [
    { name: "no-cycle", severity: "error", from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } } },
    { name: "util-is-a-leaf", severity: "error", from: { path: "^src/util/" }, to: { path: "^src/(?!util/)" } },
    { name: "types-is-a-leaf", severity: "error", from: { path: "^src/types\\.ts$" }, to: { path: "^src/" } },
    { name: "only-cli-imports-cli", severity: "error", from: { pathNot: "^src/cli/" }, to: { path: "^src/cli/" } },
    {
      name: "stages-do-not-import-the-joiners",
      severity: "error",
      from: { path: `^src/(${stages}|engine|store|util)/` },
      to: { path: "^src/(training|report|evaluation|campaign|demo|experiment|cli)/" },
    },
    {
      name: "index-loads-no-native-part",
      severity: "error",
      from: { path: "^src/index\\.ts$" },
      to: { path: "(onnxruntime|libsql|sharp)", reachable: true },
    },
    { name: "not-to-test", severity: "error", from: { pathNot: "\\.test\\.ts$" }, to: { path: "\\.test\\.ts$" } },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    exclude: { path: "\\.test\\.ts$" },
    enhancedResolveOptions: { extensions: [".ts", ".js", ".json"], exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};

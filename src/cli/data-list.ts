import { Command } from "commander";

/** `breakwater data list`: the data sets known. */
export function dataListCommand(): Command {
  return new Command("list")
    .description("List the data sets known: role, size, licence, source, credentials, and whether they are here.")
    .option("--data-dir <dir>", "folder of `breakwater data prepare`: says which are here")
    .option("--json", "as JSON, with notes on what is ambiguous or not verified")
    .action(async ({ dataDir, json }: { dataDir?: string; json?: boolean }) => {
      process.stdout.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "EPIPE") process.exit(0);
        throw error;
      });
      const { listDatasets } = await import("../datasets/catalog/list.js");
      const { groups } = await import("../datasets/catalog/registry.js");
      const sets = listDatasets(dataDir ?? null);
      if (json) {
        process.stdout.write(`${JSON.stringify(sets, null, 2)}\n`);
        return;
      }
      const { terminalTable } = await import("../report/tables.js");
      const { megabytes } = await import("../datasets/catalog/obtain.js");
      const rows = sets.map(({ name, role, bytes, licence, credentials, state, counts }) => [
        name,
        role,
        bytes === null ? "–" : `~${megabytes(bytes)}`,
        licence,
        credentials === null ? "none" : "needed",
        state === null ? "?" : state === "here" && counts ? `here (${Object.entries(counts).filter(([split]) => /^(train|test)$/.test(split)).map(([split, n]) => `${n} ${split}`).join(", ") || "rationales"})` : state,
      ]);
      process.stdout.write(`${terminalTable({ columns: ["name", "role", "download", "licence", "credentials", "here"].map((title) => ({ title, align: title === "download" ? "right" : "left" })), rows })}\n\n`);
      for (const { name, title, source, credentials, note } of sets) {
        process.stdout.write(`${name}: ${title}, ${source}\n  ${note}\n${credentials === null ? "" : `  Credentials: ${credentials}.\n`}`);
      }
      process.stdout.write(`\nGroups: ${Object.entries(groups).map(([group, names]) => `${group} (${group === "all" ? "everything" : names.join(", ")})`).join("; ")}.\n`);
      if (dataDir === undefined) process.stdout.write("Give --data-dir to see which are here.\n");
    });
}

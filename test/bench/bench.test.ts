// The benchmark has to work on the day when somebody needs its figures: a small run of all of it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("a smoke run measures every phase and finds all events", { timeout: 180_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "logboom-bench-test-"));
  try {
    const json = join(folder, "figures.json");
    const args = ["--smoke", "--events", "20000", "--prepared", join(folder, "data-set")];
    const child = spawn(
      join("node_modules", ".bin", "node"),
      ["test/bench/bench.ts", ...args, "--json", json],
      {
        cwd: fileURLToPath(new URL("../..", import.meta.url)),
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    const [code] = (await once(child, "close")) as [number | null];
    expect(code, output).toBe(0);
    expect(output).toContain("stored 20000, acknowledged 20000: exact");
    expect(output).not.toContain("WRONG");
    const titles = Object.keys(JSON.parse(readFileSync(json, "utf8")) as object).join("\n");
    for (const title of [
      "Ingest of",
      "Message index",
      "Start with",
      "Search of",
      "Steady rate",
      "Doors",
    ]) {
      expect(titles).toContain(title);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

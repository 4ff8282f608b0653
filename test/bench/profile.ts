// Reads the CPU profiles that Node.js wrote and prints the functions that took the most time themselves.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "./report.ts";

const FUNCTIONS = 25;

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

function place(url: string, line: number): string {
  const path = url
    .replace(/^.*\/node_modules\//, "")
    .replace(/^file:\/\/.*?\/(?=[^/]+\/[^/]+$)/, "");
  return url === "" ? "(engine)" : `${path}:${line + 1}`;
}

export function reportProfiles(report: Report, folder: string): void {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names.filter((file) => file.endsWith(".cpuprofile"))) {
    const profile = JSON.parse(readFileSync(join(folder, name), "utf8")) as CpuProfile;
    const places = new Map(
      profile.nodes.map(({ id, callFrame }) => [
        id,
        `${callFrame.functionName || "(anonymous)"} ${place(callFrame.url, callFrame.lineNumber)}`,
      ]),
    );
    const selfMs = new Map<string, number>();
    let busyMs = 0;
    profile.samples.forEach((id, index) => {
      const at = places.get(id) ?? "";
      if (at.startsWith("(idle)")) return;
      const tookMs = (profile.timeDeltas[index] ?? 0) / 1000;
      busyMs += tookMs;
      selfMs.set(at, (selfMs.get(at) ?? 0) + tookMs);
    });
    const top = [...selfMs].toSorted(([, a], [, b]) => b - a).slice(0, FUNCTIONS);
    report.table(
      `CPU profile ${name}: ${Math.round(busyMs)} ms of the main thread`,
      ["function", "self ms", "%"],
      top.map(([at, ms]) => [at, Math.round(ms), ((ms / busyMs) * 100).toFixed(1)]),
    );
  }
}

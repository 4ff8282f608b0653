// The Chromium that shows pages to tests: as .ci/tools.sh leaves it, or one that the machine has.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Browser } from "playwright-core";
import { toolPath } from "./tools.ts";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Undefined when there is none. */
export function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return [
    toolPath("chromium"),
    ...folders.flatMap((folder) => names.map((name) => join(folder, name))),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  ].find((path) => existsSync(path));
}

export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("no Chromium; .ci/tools.sh gets it");
  // Its sandbox needs rights that root in a container has not; the pages are our own.
  return chromium.launch({ executablePath, chromiumSandbox: false });
}

// Installs the locked dependencies when node_modules is absent or older than the lock file. Plain
// JavaScript, because the host's Node.js (20 or newer) runs it before the project's own Node.js exists.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modifiedMs = (path) => statSync(root + path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

// npm writes node_modules/.package-lock.json last, so an interrupted installation is seen as absent.
if (modifiedMs("node_modules/.package-lock.json") < modifiedMs("package-lock.json")) {
  console.error("logboom: installing dependencies from package-lock.json (about 1 GB on disk) …");
  // Not "npm ci": it refuses a lock file made where the registry lacked other platforms' optional packages.
  const { status } = spawnSync("npm", ["install", "--no-save", "--loglevel=error"], {
    cwd: root,
    // The output is that of the command that follows.
    stdio: ["inherit", process.stderr, "inherit"],
    shell: process.platform === "win32",
  });
  process.exit(status ?? 1);
}

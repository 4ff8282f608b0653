// Programs that check the deployment, as .ci/tools.sh leaves them.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const folder = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "logboom-tools/bin",
);

export type Tool = "docker-compose" | "hadolint" | "promtool" | "nginx" | "chromium";

export function toolPath(tool: Tool): string {
  return join(folder, tool);
}

/** Those of the tools that are not there. */
export function missingTools(): Tool[] {
  return (["docker-compose", "hadolint", "promtool", "nginx"] as const).filter(
    (tool) => !existsSync(toolPath(tool)),
  );
}

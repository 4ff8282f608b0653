// The drivers of the vendors' real clients, which stand beside a checkout and not in it.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../../shared/clients/public/", import.meta.url));

/** Names of the drivers, without their ending. */
export const drivers: readonly string[] = existsSync(folder)
  ? readdirSync(folder)
      .filter((name) => name.endsWith(".sh"))
      .map((name) => name.slice(0, -".sh".length))
  : [];

export function driverPath(name: string): string {
  return join(folder, `${name}.sh`);
}

// The users of a ClickHouse server as .compose/render-users.sh makes them, with passwords of their own.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

export interface StoreUsers {
  readonly sql: string;
  readonly ingestPassword: string;
  readonly queryPassword: string;
}

export function renderStoreUsers(
  env: Readonly<Record<string, string>> = {},
  passwords = [newPassword(), newPassword()] as const,
): StoreUsers {
  const dir = mkdtempSync(join(tmpdir(), "logboom-users-"));
  try {
    const files = [join(dir, "ingest"), join(dir, "query")] as const;
    files.forEach((file, index) => writeFileSync(file, `${passwords[index] ?? ""}\n`));
    const sql = execFileSync(path(".compose/render-users.sh"), [path("schemas/users.sql")], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        INGEST_PASSWORD_FILE: files[0],
        QUERY_PASSWORD_FILE: files[1],
        ...env,
      },
    });
    return { sql, ingestPassword: passwords[0], queryPassword: passwords[1] };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function newPassword(): string {
  return randomBytes(24).toString("base64url");
}

// docker-compose.yml as compose itself reads it, and the files that it puts into containers.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toolPath } from "./tools.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[] | null;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly { readonly source: string; readonly target: string }[];
  readonly volumes?: readonly {
    readonly type: string;
    readonly source: string;
    readonly target: string;
    readonly read_only?: boolean;
  }[];
  readonly restart?: string;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly mem_limit?: string;
  readonly pids_limit?: number;
  readonly ports?: readonly { readonly host_ip?: string; readonly published: string }[];
  readonly networks?: Readonly<Record<string, unknown>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly privileged?: boolean;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
}

/** @throws with compose's own words when the file is wrong. */
export function readCompose(): ComposeFile {
  const text = execFileSync(
    toolPath("docker-compose"),
    ["-f", join(root, "docker-compose.yml"), "config", "--format", "json"],
    { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
  );
  return JSON.parse(text) as ComposeFile;
}

/** A folder with the secrets that .compose/make-secrets.sh makes, and what removes it. */
export function makeSecrets(): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "logboom-secrets-"));
  execFileSync(join(root, ".compose/make-secrets.sh"), [dir]);
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

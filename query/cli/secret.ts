// Secrets as the command line takes them: as they stand, or from where they show in no list of processes.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { UsageError } from "../cli-call.ts";

/**
 * @param given the secret itself, env://VAR or file:///path
 * @param where what to call it in an error, which never holds the secret
 * @throws UsageError when the variable is not set or the file cannot be read
 */
export function readSecret(given: string, where: string): string {
  const variable = /^env:\/\/(.+)$/s.exec(given)?.[1];
  if (variable !== undefined) {
    const value = process.env[variable];
    if (value !== undefined) return value;
    throw new UsageError(`${where}: the variable ${variable} is not set`);
  }
  if (!given.startsWith("file://")) return given;
  try {
    return readFileSync(fileURLToPath(given), "utf8").trim();
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message}`);
  }
}

/**
 * The token of a call, else of the variable.
 *
 * @throws UsageError also for what no header can carry: `fetch` would repeat it in its own error
 */
export function readToken(given: string | undefined, variable: string): string {
  if (given === undefined && (process.env[variable] ?? "") === "") {
    throw new UsageError(`no token: give one as env://VAR or file:///PATH, or set ${variable}`);
  }
  const token = readSecret(given ?? `env://${variable}`, "the token").trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError("the token must be printable ASCII without spaces");
}

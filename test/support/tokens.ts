// Creates, lists and revokes tokens through the command line, as an operator does.
import { runCli, type Service } from "./service.ts";

export interface CreatedToken {
  readonly id: string;
  readonly secret: string;
}

async function runTokenCommand(service: Service, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(service.dataDir, ["token", ...args]);
  if (code !== 0) throw new Error(`token ${args.join(" ")}: exit ${code}: ${stdout}${stderr}`);
  return stdout;
}

export async function createToken(
  service: Service,
  kind: "write" | "read",
  prefixes: readonly string[] = [],
  customer = "acme",
): Promise<CreatedToken> {
  const scope = prefixes.flatMap((prefix, index) => [`--prefix${index}`, prefix]);
  const args = ["create", "--customer", customer, "--kind", kind, ...scope, "--json"];
  return JSON.parse(await runTokenCommand(service, args)) as CreatedToken;
}

/** The tokens as `token list --json` prints them, parsed, and the raw text. */
export async function listTokens(service: Service): Promise<{ text: string; ids: string[] }> {
  const text = await runTokenCommand(service, ["list", "--json"]);
  const ids = [...text.matchAll(/"id"\s*:\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
  return { text, ids };
}

export async function revokeToken(service: Service, id: string): Promise<void> {
  await runTokenCommand(service, ["revoke", id]);
}

// `--header "Name: value"`, where the value may be env://VAR or file:///path.
import { UsageError } from "../../cli-call.ts";
import { readSecret } from "../secret.ts";

/** @throws UsageError that does not repeat the header, which may be a secret */
export function readHeaders(given: readonly string[] = []): Headers {
  const headers = new Headers();
  for (const header of given) {
    const [, name = "", value = ""] = /^([^:]+):\s*(.*?)\s*$/s.exec(header) ?? [];
    const secret = readSecret(value, "--header");
    try {
      headers.append(name, secret);
    } catch {
      throw new UsageError('--header must be like "Name: value"');
    }
  }
  return headers;
}

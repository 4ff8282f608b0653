// Keys of every vendor's kinds, made by the command line beside a running service.
import { setTimeout as sleep } from "node:timers/promises";
import { runCli, type Service } from "./service.ts";

export interface VendorKey {
  readonly id: string;
  readonly secret: string;
  readonly account?: string;
}

/** @param options of `token create`, such as `{ environment: "staging" }` */
export async function createKey(
  service: Pick<Service, "dataDir">,
  kind: string,
  options: Readonly<Record<string, string>> = {},
): Promise<VendorKey> {
  const given = Object.entries({ customer: "acme", kind, ...options });
  const flags = given.flatMap(([name, value]) => [`--${name}`, value]);
  const { code, stdout, stderr } = await runCli(service.dataDir, [
    "token",
    "create",
    ...flags,
    "--json",
  ]);
  if (code !== 0) throw new Error(`token create ${kind}: exit ${code}: ${stdout}${stderr}`);
  return JSON.parse(stdout) as VendorKey;
}

export interface JsonReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Undefined when the body is no JSON. */
  readonly json: unknown;
}

/** A request whose answer is read as a whole. */
export async function ask(url: string, init: RequestInit = {}): Promise<JsonReply> {
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000), ...init });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Waits until a request is answered with 200: a key that was just made is known within two seconds. */
export async function untilAnswered(request: () => Promise<JsonReply>): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const { status, text } = await request();
    if (status === 200) return;
    if (Date.now() > deadline) throw new Error(`still ${status}: ${text}`);
    await sleep(100);
  }
}

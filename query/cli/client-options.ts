// The options that commands which speak to a service have in common.
import { parseRelativeTime } from "../exchange/relative-time.ts";
import { UsageError } from "../cli-call.ts";
import type { Prefixes } from "../search/request.ts";

const DEFAULT_API = "http://127.0.0.1:7024";

const text = { type: "string" } as const;

/** For `parseArgs`, after {@link joinPrefixes}. */
export const clientOptions = {
  api: text,
  prefix0: text,
  prefix1: text,
  prefix2: text,
  prefix3: text,
} as const;

/** `--prefix 0 VALUE` has two arguments, which `parseArgs` does not know: it becomes `--prefix0=VALUE`. */
export function joinPrefixes(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") return [...joined, ...args.slice(at)];
    if (arg !== "--prefix") {
      joined.push(arg);
      continue;
    }
    const [number, value] = [args[++at] ?? "", args[++at]];
    if (!/^[0-3]$/.test(number) || value === undefined) {
      throw new UsageError("--prefix takes a number, 0 to 3, and a value");
    }
    joined.push(`--prefix${number}=${value}`);
  }
  return joined;
}

type Given = { readonly [name in keyof typeof clientOptions]?: string };

export function readPrefixes({ prefix0 = "", prefix1 = "", prefix2 = "", prefix3 = "" }: Given) {
  return [prefix0, prefix1, prefix2, prefix3] as const satisfies Prefixes;
}

/** Labels as the parameters of a request, but for those that are empty. */
export function prefixParameters(prefixes: Prefixes): [name: string, value: string][] {
  return prefixes.flatMap((value, index) => (value === "" ? [] : [[`prefix${index}`, value]]));
}

/** Undefined for what is none. Credentials in it would show; they have an option. */
export function readHttpUrl(given: string): URL | undefined {
  const url = URL.parse(given);
  const isPlain = url !== null && url.username === "" && url.password === "";
  return isPlain && /^https?:$/.test(url.protocol) ? url : undefined;
}

/** The service's address without a slash at its end. */
export function readApi({ api = DEFAULT_API }: Given): string {
  const url = readHttpUrl(api);
  if (url?.search === "" && url.hash === "") return url.href.replace(/\/+$/, "");
  throw new UsageError(`--api must be like ${DEFAULT_API}, without user, password or query`);
}

/** `now - 15m`, `2026-01-31`, or a time as the search API takes it; ns since the epoch. */
export function readTime(option: string, given: string, nowMs: number): bigint {
  const compact = /^\s*now\b/i.test(given) ? given.replaceAll(/\s/g, "") : given;
  const time = parseRelativeTime(compact, nowMs);
  if (time !== undefined) return time;
  throw new UsageError(
    `${option} "${given}" must be like "now - 15m" (s, m, h, d, w), 2026-01-31 or 2026-01-31T12:00:00Z`,
  );
}

/** A whole number. */
export function readWhole(
  option: string,
  given: string,
  { minimum, maximum }: { readonly minimum: number; readonly maximum: number },
): number {
  const number = /^\d{1,12}$/.test(given) ? Number(given) : Number.NaN;
  if (number >= minimum && number <= maximum) return number;
  throw new UsageError(`${option} "${given}" must be ${minimum} to ${maximum}`);
}

/** @throws UsageError without naming what is too much: it may be a token in the wrong place. */
export function refuseMore(positionals: readonly string[], maximum: number, call: string): void {
  if (positionals.length <= maximum) return;
  throw new UsageError(`${call}; ${positionals.length - maximum} more given`);
}

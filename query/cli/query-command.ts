// `logboom query REGEX [TOKEN]`: prints the newest events that match.
import { formatTimestamp } from "../../schemas/time.ts";
import { parseCall, UsageError } from "../cli-call.ts";
import {
  clientOptions,
  joinPrefixes,
  readApi,
  readPrefixes,
  readTime,
  readWhole,
  refuseMore,
} from "./client-options.ts";
import { requireAllBlocks, search, type SearchCall, type SearchReply } from "./search-call.ts";
import { readToken } from "./secret.ts";
import { write } from "./output.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
const WHOLE_PROGRESS = 2 ** 32;

export const queryUsage = `  logboom query --customer C REGEX TOKEN [--from TIME] [--to TIME] [--prefix 0..3 VALUE] … [--limit N] [--json]
    TIME is like "now - 15m" or 2026-01-31T12:00:00Z`;

export async function runQueryCommand(args: readonly string[]): Promise<void> {
  const { call, isJson } = readQuery(args);
  process.once("SIGINT", endQuietly);
  let found: SearchReply | undefined;
  for await (const snapshot of search(call)) {
    found = snapshot;
    showProgress(snapshot);
  }
  clearProgress();
  if (found === undefined) return;
  for (const event of found.events) {
    const labels = found.contexts[event.context];
    const { prefix0 = "", prefix1 = "", prefix2 = "", prefix3 = "" } = labels ?? {};
    const shown = isJson
      ? JSON.stringify({
          time: event.time,
          prefix0,
          prefix1,
          prefix2,
          prefix3,
          message: event.message,
        })
      : formatEvent(event, [prefix0, prefix1, prefix2, prefix3]);
    await write(`${shown}\n`);
  }
  requireAllBlocks(found, ": events may be missing");
}

function readQuery(args: readonly string[]): { call: SearchCall; isJson: boolean } {
  const { values, positionals } = parseCall({
    args: joinPrefixes(args),
    options: {
      ...clientOptions,
      customer: { type: "string" },
      from: { type: "string" },
      to: { type: "string" },
      limit: { type: "string" },
      json: { type: "boolean" },
    },
    allowPositionals: true,
  });
  const [regex, token] = positionals;
  if (regex === undefined) throw new UsageError("query takes a REGEX");
  refuseMore(positionals, 2, "query takes a REGEX and a TOKEN");
  const now = Date.now();
  const { from, to, limit = String(DEFAULT_LIMIT) } = values;
  const call: SearchCall = {
    api: readApi(values),
    token: readToken(token, "L24_READ_TOKEN"),
    customer: readCustomer(values.customer),
    regex,
    prefixes: readPrefixes(values),
    type: "BACKWARD_RESULTS",
    limit: readWhole("--limit", limit, { minimum: 1, maximum: MAX_LIMIT }),
    begin: from === undefined ? undefined : readTime("--from", from, now),
    end: to === undefined ? undefined : readTime("--to", to, now),
  };
  return { call, isJson: values.json === true };
}

export function readCustomer(given: string | undefined): string {
  const customer = given ?? process.env["L24_CUSTOMER"] ?? "";
  if (customer !== "") return customer;
  throw new UsageError("no customer: give --customer, or set L24_CUSTOMER");
}

/** `2026-01-31T12:00:00Z web-1/nginx the message`. */
function formatEvent(
  { time, message }: { readonly time: string; readonly message: string },
  labels: readonly string[],
): string {
  const named = labels.join("/").replace(/\/+$/, "");
  const line = `${formatTimestamp(BigInt(time))} ${named === "" ? "-" : named} ${message}`;
  return process.stdout.isTTY ? escapeControls(line) : line;
}

/** Whoever writes logs must not write to the reader's terminal. */
function escapeControls(line: string): string {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  return line.replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (control) => {
    return `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

function showProgress({ scanProgress, scannedBlocks, relevantBlocks, events }: SearchReply): void {
  if (!process.stderr.isTTY) return;
  const percent = Math.floor((100 * scanProgress) / WHOLE_PROGRESS);
  process.stderr.write(
    `\r\x1b[K${percent} %, ${scannedBlocks} of ${relevantBlocks} blocks, ${events.length} events`,
  );
}

/** As a shell expects of who was interrupted, with nothing left on the line. */
function endQuietly(): void {
  clearProgress();
  process.exit(130);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}

// `logboom import [FILE…]`: sends files, or what comes from stdin, and says what was stored.
import { createReadStream } from "node:fs";
import { LogboomError } from "../../schemas/errors.ts";
import { parseCall, UsageError } from "../cli-call.ts";
import { clientOptions, joinPrefixes, readApi, readPrefixes } from "./client-options.ts";
import { LineBatch } from "./line-batch.ts";
import { LineSender } from "./line-sender.ts";
import { LineSplitter, type Line } from "./line-splitter.ts";
import { tell, write } from "./output.ts";
import { readToken } from "./secret.ts";

const GIVE_UP_MS = 60_000;
/** A message has up to 1 MiB by default; in JSON it may be several times as long, and has attributes beside it. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;
const contentTypes = { text: "text/plain", ndjson: "application/x-ndjson" } as const;
const MAX_TOLD_REFUSALS = 20;
const STDIN = "-";

export const importUsage = `  logboom import [-t TOKEN] [--format text|ndjson] [--prefix 0..3 VALUE] … [FILE … | -]`;

export async function runImportCommand(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseCall({
    args: joinPrefixes(args),
    options: {
      ...clientOptions,
      token: { type: "string", short: "t" },
      format: { type: "string" },
    },
    allowPositionals: true,
  });
  const { format = "text" } = values;
  if (format !== "text" && format !== "ndjson") {
    throw new UsageError(`--format "${format}" must be text or ndjson`);
  }
  let source = "";
  let refused = 0;
  const refuse = (line: Line, reason: string): void => {
    refused++;
    if (refused <= MAX_TOLD_REFUSALS) tell(`${source}:${line.number}: ${reason}`);
    if (refused === MAX_TOLD_REFUSALS) tell("further refused lines are only counted");
  };
  const sender = new LineSender({
    api: readApi(values),
    token: readToken(values.token, "L24_WRITE_TOKEN"),
    prefixes: readPrefixes(values),
    contentType: contentTypes[format],
    giveUpMs: GIVE_UP_MS,
    onRefused: refuse,
  });
  let unread = 0;
  try {
    for (source of positionals.length === 0 ? [STDIN] : positionals) {
      const lines = new LineSplitter(MAX_LINE_BYTES);
      const isEvent = format === "text" ? () => true : isNotBlank;
      const whole = function* (found: Iterable<Line>): Generator<Line> {
        for (const line of found) {
          if (line.cutBytes > 0) refuse(line, `the line is longer than ${MAX_LINE_BYTES} bytes`);
          else if (isEvent(line)) yield line;
        }
      };
      if (!(await sendSource(source, lines, whole, sender))) unread++;
    }
  } finally {
    await write(`${sender.stored} events stored\n`);
  }
  if (refused + unread === 0) return;
  const parts = [
    ...(refused > 0 ? [`${refused} lines were refused`] : []),
    ...(unread > 0
      ? [`${unread} of ${positionals.length} files could not be read to the end`]
      : []),
  ];
  throw new LogboomError("BAD_REQUEST", parts.join(", "));
}

/** Reads no further than the service takes; false when the file cannot be read. */
async function sendSource(
  source: string,
  lines: LineSplitter,
  whole: (found: Iterable<Line>) => Iterable<Line>,
  sender: LineSender,
): Promise<boolean> {
  const batch = new LineBatch();
  const add = async (found: Iterable<Line>): Promise<void> => {
    for (const line of whole(found)) {
      batch.add(line);
      if (batch.isFull) await sender.send(batch.take());
    }
  };
  const stream: AsyncIterable<Buffer> = source === STDIN ? process.stdin : createReadStream(source);
  let isRead = true;
  try {
    for await (const piece of stream) await add(lines.push(piece));
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall !== "string") throw error;
    tell(`cannot read ${source}: ${(error as Error).message}`);
    isRead = false;
  }
  await add(lines.finish());
  await sender.send(batch.take());
  return isRead;
}

/** As the service does, which skips blank lines: so events are numbered alike. */
function isNotBlank({ bytes }: Line): boolean {
  return bytes.some((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0d);
}

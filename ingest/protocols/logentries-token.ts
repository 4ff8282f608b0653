// Logentries over a raw connection: lines that name their log by a token, or one that is named once (PUT).
import type { Principal } from "../keys/permission.ts";
import type { IncomingEvent } from "./door.ts";
import type { LineProtocol, LineSink } from "./line-protocol.ts";
import { logentriesLabels } from "./logentries.ts";

const UUID_LENGTH = 36;
const DASH = 0x2d;
const SPACE = 0x20;
const uuid = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}";
/** Parted by white space from the rest of the line. */
const looseToken = new RegExp(`(?<!\\S)${uuid}(?!\\S)`, "gi");
/** Lines that are full of UUIDs, none of them known, are given up after so many. */
const MAX_CANDIDATES = 16;
const putRequest = new RegExp(
  `^PUT /(${uuid})/hosts/([^/?\\s]+)/([^/?\\s]+)/?(?:\\?\\S*)? HTTP/1\\.[01]$`,
  "i",
);
/** A line break within a message, as clients send it. */
const LINE_SEPARATOR = Buffer.from("\u2028");
const LINE_SEPARATOR_LEAD = 0xe2;

export const logentriesToken: LineProtocol = {
  name: "logentries-token",
  overflow: "split",
  open: openStream,
};

function openStream(sink: LineSink) {
  let isFirst = true;
  let isHeader = false;
  /** Who the last line was of; all lines, where the connection began with PUT. */
  let owner: Principal | undefined;
  let labels: Omit<IncomingEvent, "message"> = {};
  let stream: { readonly host: string; readonly log: string } | undefined;

  const become = (principal: Principal): void => {
    if (principal === owner) return;
    owner = principal;
    const { prefix0, prefix1, prefix3, attributes } = logentriesLabels(principal);
    // A key that is not bound to a log writes to the one that the request names.
    labels = {
      prefix0: prefix0 ?? stream?.host,
      prefix1: prefix1 ?? stream?.log,
      prefix3,
      attributes,
    };
  };

  const store = (principal: Principal, message: Buffer, lineBytes: number): void => {
    become(principal);
    if (message.length === 0) return;
    const { prefix0, prefix1, prefix3, attributes } = labels;
    sink.store(
      principal,
      { prefix0, prefix1, prefix3, message: withLineBreaks(message), attributes },
      lineBytes,
    );
  };

  return (line: Buffer, isContinuation: boolean): void => {
    if (isContinuation || (stream !== undefined && !isHeader)) {
      if (owner === undefined) sink.drop("unknown-key");
      else store(owner, line, line.length);
      return;
    }
    if (isHeader) {
      isHeader = line.length > 0;
      return;
    }
    if (isFirst) {
      isFirst = false;
      const put = readPut(line);
      if (put !== undefined) {
        ({ stream } = put);
        isHeader = true;
        const account = sink.find(put.key);
        if (account !== undefined) become(account);
        return;
      }
    }
    if (line.length === 0) return;
    const found = findToken(line, sink);
    if (found === undefined) {
      owner = undefined;
      sink.drop("unknown-key");
    } else store(found.principal, found.message, line.length);
  };
}

/** The line without its token: what stands first, or else any known one between white space. */
function findToken(
  line: Buffer,
  sink: LineSink,
): { readonly principal: Principal; readonly message: Buffer } | undefined {
  if (line[8] === DASH && line[13] === DASH && line[18] === DASH && line[23] === DASH) {
    const principal = sink.find(line.toString("latin1", 0, UUID_LENGTH));
    if (principal !== undefined) {
      return { principal, message: line.subarray(skipSpaces(line, UUID_LENGTH)) };
    }
  }
  if (!line.includes(DASH)) return undefined;
  let candidates = 0;
  for (const { 0: token, index } of line.toString("latin1").matchAll(looseToken)) {
    if (++candidates > MAX_CANDIDATES) return undefined;
    const principal = sink.find(token);
    if (principal === undefined) continue;
    const after = line.subarray(skipSpaces(line, index + UUID_LENGTH));
    const before = line.subarray(0, after.length === 0 && index > 0 ? index - 1 : index);
    return { principal, message: Buffer.concat([before, after]) };
  }
  return undefined;
}

function skipSpaces(line: Buffer, from: number): number {
  let position = from;
  while (line[position] === SPACE) position++;
  return position;
}

/** U+2028 stands for a line break. */
export function withLineBreaks(message: Buffer): Buffer {
  // Its first byte is looked for three times as fast, and is rare.
  if (!message.includes(LINE_SEPARATOR_LEAD) || !message.includes(LINE_SEPARATOR)) return message;
  return Buffer.from(message.toString("utf8").replaceAll("\u2028", "\n"));
}

function readPut(line: Buffer) {
  if (line.length > 4096 || line.toString("latin1", 0, 5) !== "PUT /") return undefined;
  const [, key, host, log] = putRequest.exec(line.toString("latin1")) ?? [];
  if (key === undefined || host === undefined || log === undefined) return undefined;
  return { key, stream: { host: decode(host), log: decode(log) } };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

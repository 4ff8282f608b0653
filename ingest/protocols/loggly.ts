// Loggly over HTTP: one event (/inputs), an event a line (/bulk), or one in the address of an image.
import { errorCatalogue, LogboomError, type ErrorCode } from "../../schemas/errors.ts";
import type { Door, DoorRequest, IncomingEvent, IncomingEvents, Reply } from "./door.ts";
import { splitLines } from "./lines.ts";
import { logglyContext, logglyEvent, readTags, type LogglyContext } from "./loggly-event.ts";
import { pixelReply } from "./pixel.ts";
import { wholeBody } from "./whole-body.ts";

const MAX_EVENT_BYTES = 1_048_576;
const MAX_BULK_BYTES = 5_242_880;

/** Browser clients may post to their own origin under /loggly. */
const path = /^(?:\/loggly)?\/(?:inputs|bulk)\/([^/]+?)(?:\.gif)?(?:\/tag\/([^/]*))?(?:\/[^/]*)?$/;

const shared = {
  name: "loggly",
  isForBrowsers: true,
  keyKinds: ["loggly-input", "write"],
  secret: (request: DoorRequest) => decode(path.exec(request.path)?.[1] ?? ""),
  idempotencyKey: () => undefined,
  // Exactly 200 and not empty: node-loggly-bulk repeats at anything else for ever.
  accepted: (): Reply => ({ status: 200, body: { response: "ok" } }),
  refused: (error: LogboomError): Reply => ({
    status: vendorStatus(error.code),
    body: { response: error.message },
  }),
} as const;

export const logglyInputsDoor = {
  ...shared,
  path: "/inputs/{token}",
  pattern: /^(?:\/loggly)?\/inputs\/[^/]+(?:\/tag\/[^/]*)?\/?$/,
  maxBodyBytes: MAX_EVENT_BYTES,
  read: (request, body) => incoming([wholeBody(body)], contextOf(request)),
} satisfies Door;

export const logglyBulkDoor = {
  ...shared,
  path: "/bulk/{token}",
  pattern: /^(?:\/loggly)?\/bulk\/[^/]+(?:\/tag\/[^/]*)?\/?$/,
  maxBodyBytes: MAX_BULK_BYTES,
  read: (request, body) => incoming(splitLines(body), contextOf(request)),
} satisfies Door;

export const logglyPixelDoor = {
  ...shared,
  path: "/inputs/{token}.gif",
  pattern: /^(?:\/loggly)?\/(?:inputs|bulk)\/[^/]+?(?:\.gif|\/tag\/[^/]*\/[^/]*\.gif)$/,
  methods: ["GET"],
  read: (request) => incoming([pixelMessage(request.query)], contextOf(request)),
  accepted: () => pixelReply,
} satisfies Door;

function incoming(messages: Iterable<Buffer>, context: LogglyContext): IncomingEvents {
  return { events: events(messages, context), mending: "labels" };
}

function* events(messages: Iterable<Buffer>, context: LogglyContext): Generator<IncomingEvent> {
  for (const message of messages) {
    if (message.length > 0) yield logglyEvent(message, context);
  }
}

function contextOf({ path: target, headers, address }: DoorRequest): LogglyContext {
  const header = headers["x-loggly-tag"];
  if (header === "") {
    throw new LogboomError("BAD_REQUEST", 'the header "X-LOGGLY-TAG" is empty', {
      details: { field: "X-LOGGLY-TAG", value: "" },
    });
  }
  const given = [decode(path.exec(target)?.[2] ?? ""), ...[header ?? []].flat()];
  const contentType = headers["content-type"];
  return logglyContext(readTags(given), {
    ...(address !== undefined && { "http.clientHost": address }),
    ...(contentType !== undefined && { "http.contentType": contentType }),
  });
}

/** `PLAINTEXT`, or else all parameters as one JSON event; `DT` is there against caches. */
function pixelMessage(query: URLSearchParams): Buffer {
  const plain = query.get("PLAINTEXT");
  if (plain !== null) return Buffer.from(plain);
  const fields = [...query].filter(([name]) => name !== "DT");
  return Buffer.from(fields.length === 0 ? "" : JSON.stringify(Object.fromEntries(fields)));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Ingest knows no 401: a wrong token is forbidden. */
function vendorStatus(code: ErrorCode): number {
  return code === "BAD_TOKEN" ? 403 : errorCatalogue[code].status;
}

// Scalyr's uploadLogs: raw lines with the server's fields in the URL or in headers.
import { errorCatalogue, LogboomError, type ErrorCode } from "../../schemas/errors.ts";
import type { Door, DoorRequest, IncomingEvent } from "./door.ts";
import { splitLines } from "./lines.ts";

/** Documented as "roughly one minute". */
const NONCE_WINDOW_MS = 60_000;
/** The largest request that any of the vendor's clients sends, 6 MB. */
const MAX_BODY_BYTES = 6_291_456;

export const scalyrUploadLogsDoor: Door = {
  name: "scalyr-upload-logs",
  path: "/api/uploadLogs",
  keyKinds: ["scalyr-write", "write"],
  maxBodyBytes: MAX_BODY_BYTES,
  secret: ({ query, headers }) =>
    query.get("token") ?? /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? "")?.[1],
  idempotencyKey: ({ headers }) => {
    const nonce = headers["nonce"];
    return typeof nonce === "string" && nonce !== ""
      ? { value: nonce, windowMs: NONCE_WINDOW_MS, bindsBody: false }
      : undefined;
  },
  read: (request, body) => {
    requireText(request);
    return { events: events(request, body) };
  },
  accepted: () => ({ status: 200, body: { status: "success" } }),
  refused: (error, { headers }) => {
    // A token of the wrong kind is no token for the vendor; only what a right one may not is 403.
    const isWrongKind = error.code === "NO_PERMISSION" && error.details["tokenKind"] !== undefined;
    const { status, text } = vendorStatus[isWrongKind ? "BAD_TOKEN" : error.code] ?? serverError;
    return {
      status: headers["errorstatus"] === "always200" ? 200 : status,
      body: {
        message: error.code === "TOO_LARGE" ? `requestTooLarge: ${error.message}` : error.message,
        status: text,
      },
    };
  },
};

const serverError = { status: 500, text: "error/server" };

/** The vendor's HTTP codes and hierarchical statuses; an oversized request is a 400 there. */
const vendorStatus: Partial<Record<ErrorCode, { status: number; text: string }>> = {
  ...Object.fromEntries(
    (Object.keys(errorCatalogue) as ErrorCode[])
      .filter((code) => errorCatalogue[code].status < 500)
      .map((code) => [
        code,
        { status: errorCatalogue[code].status, text: "error/client/badParam" },
      ]),
  ),
  BAD_TOKEN: { status: 401, text: "error/client/noPermission" },
  NO_PERMISSION: { status: 403, text: "error/client/noPermission" },
  TOO_LARGE: { status: 400, text: "error/client/badParam/requestTooLarge" },
  RATE_LIMITED: { status: 429, text: "error/server/backoff" },
  OVERLOADED: { status: 503, text: "error/server/backoff" },
  UNAVAILABLE: { status: 503, text: "error/server/backoff" },
};

/** Documented is text/plain; curl says "form" of lines unless told, and some senders of JSON lines say JSON. */
const lineTypes =
  /^(?:text\/.*|application\/(?:x-www-form-urlencoded|octet-stream|json|x-ndjson))$/;

function requireText({ headers }: DoorRequest): void {
  const type =
    headers["content-type"]?.split(";")[0]?.trim().toLowerCase().slice(0, 100) ?? "text/plain";
  if (lineTypes.test(type)) return;
  throw new LogboomError("BAD_REQUEST", `unknown content type "${type}"; expected text/plain`, {
    details: { field: "content-type", value: type },
  });
}

function* events({ query, headers }: DoorRequest, body: Buffer): Generator<IncomingEvent> {
  const field = (name: string): string | undefined => {
    const header = headers[name.toLowerCase()];
    return query.get(name) ?? (typeof header === "string" ? latin1AsUtf8(header) : undefined);
  };
  const attributes: Record<string, string> = {};
  for (const [name, value] of [...headerFields(headers), ...query]) {
    if (/^server-./i.test(name) && name.toLowerCase() !== "server-host") attributes[name] = value;
  }
  const shared = {
    // A header named plain "host" is HTTP's own, so the host may also be called server-host.
    prefix0: query.get("host") ?? field("server-host") ?? field("serverHost"),
    prefix1: field("logfile"),
    prefix2: field("parser"),
    prefix3: "scalyr",
    attributes: Object.keys(attributes).length > 0 ? attributes : undefined,
  };
  for (const line of splitLines(body, true)) {
    // The vendor speaks of messages separated by line breaks: nothing between two of them is no message.
    if (line.length > 0) yield { ...shared, message: line };
  }
}

function headerFields(headers: DoorRequest["headers"]): [string, string][] {
  return Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    typeof value === "string" ? [[name, latin1AsUtf8(value)]] : [],
  );
}

/** Node reads header bytes as Latin-1; clients send UTF-8. */
function latin1AsUtf8(text: string): string {
  return Buffer.from(text, "latin1").toString("utf8");
}

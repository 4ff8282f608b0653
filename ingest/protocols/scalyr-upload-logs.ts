// Scalyr's uploadLogs: raw lines with the server's fields in the URL or in headers.
import { LogboomError } from "../../schemas/errors.ts";
import type { Door, DoorRequest, IncomingEvent } from "./door.ts";
import { splitLines } from "./lines.ts";
import { bearerToken, MAX_REQUEST_BYTES, scalyrRefusal } from "./scalyr-requests.ts";

/** Documented as "roughly one minute". */
const NONCE_WINDOW_MS = 60_000;

export const scalyrUploadLogsDoor = {
  name: "scalyr-upload-logs",
  path: "/api/uploadLogs",
  keyKinds: ["scalyr-write", "write"],
  maxBodyBytes: MAX_REQUEST_BYTES,
  secret: ({ query, headers }) =>
    query.get("token") ?? headers["token"]?.toString() ?? bearerToken(headers),
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
  refused: scalyrRefusal,
} satisfies Door;

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

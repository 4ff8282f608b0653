// LogTrace's ingest over HTTP: JSON batches of up to 5,000 events.
import { isUtf8 } from "node:buffer";
import { errorCatalogue, LogboomError } from "../../schemas/errors.ts";
import { eventTimeRange } from "../../schemas/time.ts";
import { requireEnvironment, type Principal } from "../keys/permission.ts";
import type { Door, DoorRequest, IncomingEvent } from "./door.ts";
import { locateJsonFault } from "./json-fault.ts";
import { fieldError, isFields, logtraceEvent } from "./logtrace-event.ts";

const MAX_EVENTS = 5_000;

export const logtraceDoor = {
  name: "logtrace",
  path: "/v1/logs/ingest",
  keyKinds: ["logtrace", "write"],
  secret: ({ headers }) => /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? "")?.[1],
  idempotencyKey: () => undefined,
  read: (request, body, principal) => {
    requireJson(request);
    return { events: events(readLogs(body), principal, !isUtf8(body)), mending: "labels" };
  },
  accepted: ({ accepted }) => ({ status: 202, body: { status: "accepted", accepted } }),
  refused: (error) => ({
    status: errorCatalogue[error.code].status,
    body: { status: "error", error: error.message, code: error.code, details: error.details },
  }),
} satisfies Door;

/** The vendor's documents demand application/json, and know no 415. */
function requireJson({ headers }: DoorRequest): void {
  const type = headers["content-type"]?.split(";")[0]?.trim().toLowerCase().slice(0, 100);
  if (type === undefined || type === "application/json" || type.endsWith("+json")) return;
  throw new LogboomError(
    "BAD_REQUEST",
    `unknown content type "${type}"; expected application/json`,
    { details: { field: "content-type", value: type } },
  );
}

function readLogs(body: Buffer): readonly unknown[] {
  const text = body.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const { reason, line, offset } = locateJsonFault(text, error);
    throw new LogboomError(
      "BAD_REQUEST",
      `invalid JSON in line ${line} at offset ${offset}: ${reason}`,
      { details: { line, offset }, cause: error },
    );
  }
  const logs = isFields(value) ? value["logs"] : undefined;
  if (!Array.isArray(logs)) {
    throw new LogboomError("BAD_REQUEST", 'no array of events in "logs"', {
      details: { field: "logs" },
    });
  }
  if (logs.length === 0 || logs.length > MAX_EVENTS) {
    throw new LogboomError(
      "BAD_REQUEST",
      `${logs.length} events in "logs"; expected 1 to ${MAX_EVENTS}`,
      { details: { field: "logs", value: logs.length, limit: MAX_EVENTS } },
    );
  }
  return logs;
}

function* events(
  logs: readonly unknown[],
  principal: Principal,
  hadInvalidUtf8: boolean,
): Generator<IncomingEvent> {
  const { environment } = principal;
  for (const [index, log] of logs.entries()) {
    if (!isFields(log)) throw fieldError(index, "logs", log, "an object with a message");
    const named = log["environment"];
    // A key is for one environment; an event that names another one is not its to write.
    if (typeof named === "string" && environment !== undefined)
      requireEnvironment(principal, named);
    const event = logtraceEvent(log, environment, index);
    const { time = eventTimeRange.first } = event;
    if (time < eventTimeRange.first || time >= eventTimeRange.end) {
      throw fieldError(index, "timestamp", log["timestamp"] ?? log["@timestamp"], "1970 to 2254");
    }
    // Which event held the invalid bytes is not known any more: those with the replacement are counted.
    yield hadInvalidUtf8 && (event.message as string).includes("\uFFFD")
      ? { ...event, hadInvalidUtf8: true }
      : event;
  }
}

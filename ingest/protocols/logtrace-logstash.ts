// LogTrace over a raw connection: one JSON object a line or datagram, as Logstash's agents send it.
import { LogboomError } from "../../schemas/errors.ts";
import type { LineProtocol, LineSink } from "./line-protocol.ts";
import { fieldsOfEvent, isFields, logtraceEvent, type Fields } from "./logtrace-event.ts";

/** @param defaultKey of events that name none */
export function logtraceLogstash(defaultKey: string | undefined): LineProtocol {
  return {
    name: "logtrace-logstash",
    overflow: "drop",
    keepsNoBytes: true,
    open: (sink) => (line) => {
      if (line.length > 0) take(line, sink, defaultKey);
    },
  };
}

function take(line: Buffer, sink: LineSink, defaultKey: string | undefined): void {
  const fields = readObject(line);
  if (fields === undefined) {
    sink.drop("malformed");
    return;
  }
  // What python-logstash-async 4.1 nests counts as if it stood at the top, where the top has no such field.
  const extra = isFields(fields["extra"]) ? fields["extra"] : none;
  const { api_key: top = defaultKey } = fields;
  const { api_key: key = top } = extra;
  const principal = typeof key === "string" ? sink.find(key) : undefined;
  if (principal === undefined) {
    sink.drop("unknown-key");
    return;
  }
  const { environment } = principal;
  const { environment: named = extra["environment"] } = fields;
  if (typeof named === "string" && environment !== undefined && named !== environment) {
    sink.drop("forbidden");
    return;
  }
  try {
    const event = logtraceEvent(fields, environment, 0, extra, extra === none ? secret : nested);
    sink.store(principal, event, line.length);
  } catch (error) {
    if (!(error instanceof LogboomError)) throw error;
    sink.drop("malformed");
  }
}

const none: Fields = {};
/** A secret is nothing to store. */
const secret: ReadonlySet<string> = new Set([...fieldsOfEvent, "api_key"]);
/** Nor is what holds the fields that were brought to the top. */
const nested: ReadonlySet<string> = new Set([...secret, "extra"]);

function readObject(line: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

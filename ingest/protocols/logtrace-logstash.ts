// LogTrace over a raw connection: one JSON object a line or datagram, as Logstash's agents send it.
import { LogboomError } from "../../schemas/errors.ts";
import type { LineProtocol, LineSink } from "./line-protocol.ts";
import { isFields, logtraceEvent } from "./logtrace-event.ts";

/** @param defaultKey of events that name none */
export function logtraceLogstash(defaultKey: string | undefined): LineProtocol {
  return {
    name: "logtrace-logstash",
    overflow: "drop",
    open: (sink) => (line) => {
      if (line.length > 0) take(line, sink, defaultKey);
    },
  };
}

function take(line: Buffer, sink: LineSink, defaultKey: string | undefined): void {
  const fields = readFields(line);
  if (fields === undefined) {
    sink.drop("malformed");
    return;
  }
  const { api_key: key = defaultKey } = fields;
  const principal = typeof key === "string" ? sink.find(key) : undefined;
  if (principal === undefined) {
    sink.drop("unknown-key");
    return;
  }
  const { environment } = principal;
  const named = fields["environment"];
  if (typeof named === "string" && environment !== undefined && named !== environment) {
    sink.drop("forbidden");
    return;
  }
  try {
    // A secret is nothing to store.
    if (fields["api_key"] !== undefined) fields["api_key"] = undefined;
    sink.store(principal, logtraceEvent(fields, environment, 0), line.length);
  } catch (error) {
    if (!(error instanceof LogboomError)) throw error;
    sink.drop("malformed");
  }
}

/** The object, with what python-logstash-async 4.1 nests under "extra" brought to the top; undefined is absent. */
function readFields(line: Buffer): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch {
    return undefined;
  }
  if (!isFields(value)) return undefined;
  const { extra } = value;
  if (!isFields(extra)) return value;
  const key = extra["api_key"];
  return { ...extra, ...value, extra: undefined, ...(key !== undefined && { api_key: key }) };
}

// Scalyr's addEvents: batches of a session, whose events share the attributes of server and log file.
import { isUtf8 } from "node:buffer";
import { LogboomError } from "../../schemas/errors.ts";
import { parseEventTime } from "../../schemas/time.ts";
import { Origin } from "../origin.ts";
import type { Door, IncomingEvent, IncomingEvents, SequencePlace } from "./door.ts";
import type { RelaxedObject, RelaxedValue } from "./relaxed-json.ts";
import { isObject, parseScalyrBody } from "./scalyr-json.ts";
import { bearerToken, MAX_REQUEST_BYTES, scalyrRefusal } from "./scalyr-requests.ts";

/** The vendor's severity where none is given: info. */
const DEFAULT_SEVERITY = "3";
const LF = 0x0a;

export const scalyrAddEventsDoor = {
  name: "scalyr-add-events",
  path: "/api/addEvents",
  // The agent and the Java client leave out "/api".
  pattern: /^(?:\/api)?\/addEvents\/?$/,
  keyKinds: ["scalyr-write", "write"],
  maxBodyBytes: MAX_REQUEST_BYTES,
  secret: ({ query, headers }) => query.get("token") ?? bearerToken(headers),
  secretAtStart: (body) => tokenAtStart.exec(body.toString("latin1", 0, MAX_START_BYTES))?.[1],
  secretInBody: (body) => {
    const token = textOf(parse(body)["token"]);
    return token === "" ? undefined : token;
  },
  idempotencyKey: () => undefined,
  read: (_, body) => readRequest(parse(body), !isUtf8(body)),
  accepted: ({ bodyBytes = 0, mended = 0, omitted }) => {
    const warnings = [
      ...(omitted !== undefined && omitted.count > 0
        ? [`${omitted.count} events were not stored; the first: ${omitted.reason}`]
        : []),
      ...(mended > 0 ? [`${mended} events were cut to the limits`] : []),
    ];
    return {
      status: 200,
      body: {
        status: "success",
        bytesCharged: bodyBytes,
        ...(warnings.length > 0 && { message: warnings.join("; ") }),
      },
    };
  },
  refused: scalyrRefusal,
} satisfies Door;

/** The agent and the Go client write the token first. */
const tokenAtStart = /^\s*\{\s*"?token"?\s*:\s*"([\x21\x23-\x5b\x5d-\x7e]+)"/;
const MAX_START_BYTES = 512;

/** Of bodies on their way: the token is in there, so each is needed twice. */
const parsed = new WeakMap<Buffer, RelaxedObject>();

function parse(body: Buffer): RelaxedObject {
  const known = parsed.get(body);
  if (known !== undefined) return known;
  const value = parseScalyrBody(body);
  parsed.set(body, value);
  return value;
}

/** What all events of one log have. */
interface LogContext {
  readonly host: string | undefined;
  readonly logfile: string | undefined;
  readonly parser: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** An event of a log, and what was read of it but for what is always its own. */
interface Former {
  readonly event: RelaxedObject;
  readonly attrs: RelaxedObject;
  readonly facts: Facts;
  /** Made when another event is like it. */
  origin: Origin | undefined;
}

type Facts = Pick<IncomingEvent, "prefix0" | "prefix1" | "prefix2" | "prefix3"> & {
  readonly attributes: Readonly<Record<string, string>>;
};

interface OpenLog {
  readonly context: LogContext;
  former: Former | undefined;
}

function readRequest(request: RelaxedObject, hadInvalidUtf8: boolean): IncomingEvents {
  const session = request["session"];
  const events = request["events"] ?? [];
  if (!Array.isArray(events)) throw badParam("events", "an array");
  const name = session === undefined || session === null ? undefined : asText(session);
  const omitted = { count: 0, reason: "" };
  return {
    session: name,
    mending: "all",
    omitted: () => omitted,
    events: readEvents(request, name, events as readonly RelaxedValue[], omitted, hadInvalidUtf8),
  };
}

function* readEvents(
  request: RelaxedObject,
  session: string | undefined,
  events: readonly RelaxedValue[],
  omitted: { count: number; reason: string },
  hadInvalidUtf8: boolean,
): Generator<IncomingEvent> {
  const threadNames = namesOf(request["threads"]);
  const logAttributes = attributesOfLogs(request["logs"]);
  const server = serverAttributes(request["sessionInfo"], session);
  const logs = new Map<string, OpenLog>();
  const openLog = (name: string): OpenLog => {
    const context = joinContext(contextOfServer(server), logAttributes.get(name) ?? {});
    const log = { context, former: undefined };
    logs.set(name, log);
    return log;
  };
  const places = new Places();
  for (let index = 0; index < events.length; index++) {
    const value = events[index];
    if (!isObject(value)) {
      if (omitted.count++ === 0) omitted.reason = `events[${index}] is not an object`;
      continue;
    }
    const name = textOf(value["log"]);
    const attrs = isObject(value["attrs"]) ? value["attrs"] : {};
    const text = attrs["message"];
    const message = text === undefined ? "" : withoutLineBreak(text);
    const isBroken = hadInvalidUtf8 && typeof message === "string" && message.includes("\uFFFD");
    const own = {
      time: readTime(value["ts"]),
      message,
      sequence: session === undefined ? undefined : places.next(value),
      hadInvalidUtf8: isBroken ? true : undefined,
    };
    const log = logs.get(name) ?? openLog(name);
    const origin = knownOrigin(log.former, value, attrs);
    if (origin === undefined) {
      const facts = readFacts(value, attrs, log.context, threadNames);
      log.former = { event: value, attrs, facts, origin };
      yield { ...own, ...facts };
    } else {
      yield { ...own, origin };
    }
  }
}

/** That of the log's former event, where the next one is like it. */
function knownOrigin(
  former: Former | undefined,
  event: RelaxedObject,
  attrs: RelaxedObject,
): Origin | undefined {
  if (former === undefined || !isLike(former, event, attrs)) return undefined;
  return (former.origin ??= new Origin(former.facts, former.facts.attributes));
}

/** Whether nothing differs but what is each event's own; values that are no texts or numbers always do. */
function isLike(former: Former, event: RelaxedObject, attrs: RelaxedObject): boolean {
  const { event: other, attrs: others } = former;
  if (
    event["thread"] !== other["thread"] ||
    event["sev"] !== other["sev"] ||
    event["type"] !== other["type"] ||
    event["startTS"] !== other["startTS"]
  ) {
    return false;
  }
  let surplus = 0;
  for (const name in attrs) {
    if (name === "message") continue;
    if (attrs[name] !== others[name]) return false;
    surplus++;
  }
  for (const name in others) if (name !== "message") surplus--;
  // As many names, each of which is there: the same ones.
  return surplus === 0;
}

function readFacts(
  event: RelaxedObject,
  attrs: RelaxedObject,
  context: LogContext,
  threadNames: ReadonlyMap<string, string>,
): Facts {
  const { thread, sev, type, startTS } = event;
  const attributes: Record<string, string> = { ...context.attributes };
  let { host, logfile, parser } = context;
  for (const name in attrs) {
    if (name === "message") continue;
    const text = asText(attrs[name] as RelaxedValue);
    if (name === "logfile") logfile = text;
    else if (name === "parser") parser = text;
    else if (name === "serverHost") host = text;
    else attributes[name] = text;
  }
  if (thread !== undefined && thread !== null) {
    const id = asText(thread);
    attributes["thread"] = id;
    const threadName = threadNames.get(id);
    if (threadName !== undefined) attributes["threadName"] = threadName;
  }
  attributes["severity"] = sev === undefined || sev === null ? DEFAULT_SEVERITY : asText(sev);
  // 1 and 2 are the start and the end of a span.
  if (type !== undefined && type !== null && type !== 0) attributes["type"] = asText(type);
  if (startTS !== undefined && startTS !== null) attributes["startTS"] = asText(startTS);
  return { prefix0: host, prefix1: logfile, prefix2: parser, prefix3: "scalyr", attributes };
}

/** Where each event stands: `si` and `sn`, or `sd` more than the one before. */
class Places {
  #id: string | undefined;
  #number: number | bigint | undefined;

  next({ si, sn, sd }: RelaxedObject): SequencePlace | undefined {
    if (si !== undefined && si !== null) {
      this.#id = asText(si);
      this.#number = undefined;
    }
    const number = wholeNumber(sn);
    const delta = wholeNumber(sd);
    if (number !== undefined) this.#number = number;
    else if (delta === undefined || this.#number === undefined) return undefined;
    else this.#number = sum(this.#number, delta);
    return this.#id === undefined ? undefined : { id: this.#id, number: this.#number };
  }
}

function wholeNumber(value: RelaxedValue | undefined): number | bigint | undefined {
  if (typeof value === "bigint") return value < 0n ? undefined : value;
  if (typeof value === "number")
    return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  if (typeof value !== "string" || !/^\d{1,30}$/.test(value)) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}

function sum(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === "number" && typeof b === "number" && Number.isSafeInteger(a + b)) return a + b;
  return BigInt(a) + BigInt(b);
}

/** ns since the epoch as text or number; anything else, as its absence, is the time of arrival. */
function readTime(value: RelaxedValue | undefined): bigint | undefined {
  if (typeof value === "string") return /^\d/.test(value) ? parseEventTime(value) : undefined;
  if (typeof value === "bigint") return value;
  return typeof value === "number" && value > 0 && Number.isFinite(value)
    ? BigInt(Math.trunc(value))
    : undefined;
}

/** The server's fields are marked with a dollar, as the vendor's queries name them. */
function serverAttributes(info: RelaxedValue | undefined, session: string | undefined) {
  const server: { labels: Record<string, string>; attributes: Record<string, string> } = {
    labels: {},
    attributes: {},
  };
  if (isObject(info)) {
    for (const [name, value] of Object.entries(info)) {
      const isLabel = name === "serverHost" || name === "logfile" || name === "parser";
      if (isLabel) server.labels[name] = asText(value);
      else server.attributes[`$${name}`] = asText(value);
    }
  }
  if (session !== undefined) server.attributes["session"] = session;
  return server;
}

function contextOfServer({ labels, attributes }: ReturnType<typeof serverAttributes>): LogContext {
  return {
    host: labels["serverHost"],
    logfile: labels["logfile"],
    parser: labels["parser"],
    attributes,
  };
}

function joinContext(context: LogContext, attrs: RelaxedObject): LogContext {
  const { serverHost, logfile, parser, message: _, ...others } = attrs;
  return {
    host: serverHost === undefined ? context.host : asText(serverHost),
    logfile: logfile === undefined ? context.logfile : asText(logfile),
    parser: parser === undefined ? context.parser : asText(parser),
    attributes: {
      ...context.attributes,
      ...Object.fromEntries(Object.entries(others).map(([name, value]) => [name, asText(value)])),
    },
  };
}

function attributesOfLogs(logs: RelaxedValue | undefined): Map<string, RelaxedObject> {
  return new Map(
    objectsOf(logs).map(({ id, attrs }) => [textOf(id), isObject(attrs) ? attrs : {}]),
  );
}

function namesOf(threads: RelaxedValue | undefined): Map<string, string> {
  return new Map(
    objectsOf(threads)
      .filter(({ name }) => name !== undefined)
      .map(({ id, name }) => [textOf(id), textOf(name)]),
  );
}

function objectsOf(value: RelaxedValue | undefined): RelaxedObject[] {
  return Array.isArray(value) ? (value as RelaxedValue[]).filter(isObject) : [];
}

/** The agent ends each message with the line's break. */
function withoutLineBreak(value: RelaxedValue): string | Buffer {
  if (Buffer.isBuffer(value)) {
    return value[value.length - 1] === LF ? value.subarray(0, value.length - 1) : value;
  }
  const text = asText(value);
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

function textOf(value: RelaxedValue | undefined): string {
  return value === undefined || value === null ? "" : asText(value);
}

function asText(value: RelaxedValue): string {
  switch (typeof value) {
    case "string":
      return value;
    case "object":
      if (Buffer.isBuffer(value)) return value.toString("utf8");
      return writeJson(value);
    default:
      return String(value);
  }
}

function writeJson(value: RelaxedValue): string {
  try {
    return JSON.stringify(value, (_, part: unknown) => jsonPart(part));
  } catch (error) {
    // The native parser, unlike ours, reads any depth; each level takes frames of the stack.
    if (!(error instanceof RangeError)) throw error;
    throw new LogboomError("BAD_REQUEST", "a value is nested too deeply to be kept", {
      details: { field: "body" },
      cause: error,
    });
  }
}

/** What JSON has no form for; a buffer comes as what its own toJSON makes of it. */
function jsonPart(part: unknown): unknown {
  if (typeof part === "bigint") return String(part);
  const isBytes = typeof part === "object" && part !== null && "type" in part && "data" in part;
  return isBytes && part.type === "Buffer" && Array.isArray(part.data)
    ? Buffer.from(part.data as number[]).toString("utf8")
    : part;
}

function badParam(field: string, expected: string): LogboomError {
  return new LogboomError("BAD_REQUEST", `unexpected value in "${field}"; expected ${expected}`, {
    details: { field },
  });
}

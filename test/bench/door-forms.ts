// Each door's way of writing the same events, as its clients do.
import type { DoorName } from "../../ingest/protocols/door.ts";
import { WRITE_TOKEN } from "./service.ts";

/** An event as the data set has it. */
export interface BenchEvent {
  /** ns since the epoch */
  readonly time: string;
  readonly prefix0: string;
  readonly prefix1: string;
  readonly prefix2: string;
  readonly prefix3: string;
  readonly message: string;
}

export interface DoorForm {
  readonly name: string;
  /** As metrics name it. */
  readonly door: DoorName;
  readonly over: "http" | "tcp" | "udp";
  /** Of HTTP, the request's path; else which port. */
  readonly to: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** One, where the protocol has no more room: compared with the native door's requests of one. */
  readonly eventsPerRequest: number;
  /** Most that it may cost against native NDJSON. */
  readonly target: number;
  /** @param number of the request */
  readonly body: (events: readonly BenchEvent[], number: number) => Buffer;
}

const BATCH = 1_000;
const MOST = 2.5;
const NO_MORE = 1;

const native = { authorization: `Token ${WRITE_TOKEN}` };
const text = { "content-type": "text/plain" };

const isoTime = ({ time }: BenchEvent): string =>
  `${new Date(Number(time.slice(0, -6))).toISOString().slice(0, -1)}${time.slice(-6, -3)}Z`;

const lines = (write: (event: BenchEvent) => string) => (events: readonly BenchEvent[]) =>
  Buffer.from(events.map((event) => `${write(event)}\n`).join(""));

/** Where a line is an event, an agent sends no line break. */
const oneLine = ({ message }: BenchEvent): string => message.replaceAll("\n", "  ");

const messages = lines(oneLine);

const logglyJson = lines((event) =>
  JSON.stringify({
    timestamp: isoTime(event),
    hostname: event.prefix0,
    level: "info",
    message: event.message,
  }),
);

const syslog = lines(
  (event) =>
    `<134>1 ${isoTime(event)} ${event.prefix0} ${event.prefix1.slice(0, 48)} 4711 - [${WRITE_TOKEN}@41058 tag="bench" tag="web"] ${oneLine(event)}`,
);

/** As python-logstash-async writes it. */
const logstash = lines((event) =>
  JSON.stringify({
    "@timestamp": isoTime(event),
    "@version": "1",
    host: event.prefix0,
    level: "INFO",
    logsource: event.prefix0,
    message: event.message,
    pid: 4711,
    program: "app.py",
    type: "python",
    extra: { service: event.prefix1, logger_name: "app", line: 7, api_key: WRITE_TOKEN },
  }),
);

function logtrace(events: readonly BenchEvent[]): Buffer {
  const logs = events.map((event) => ({
    timestamp: isoTime(event),
    level: "INFO",
    message: event.message,
    service: event.prefix1,
    host: event.prefix0,
    pid: 4711,
  }));
  return Buffer.from(JSON.stringify({ logs }));
}

/** A session sends for one host and one file. */
function senderOf([first]: readonly BenchEvent[]): { prefix0: string; prefix1: string } {
  if (first === undefined) throw new Error("a request has no events");
  return first;
}

/** As Scalyr's Go client writes it. */
function addEventsJson(events: readonly BenchEvent[], number: number): Buffer {
  const { prefix0, prefix1 } = senderOf(events);
  return Buffer.from(
    JSON.stringify({
      token: WRITE_TOKEN,
      session: `bench-json-${number}`,
      sessionInfo: { serverHost: prefix0, tier: "bench" },
      events: events.map(({ time, message }) => ({
        thread: "T1",
        sev: 3,
        ts: time,
        log: "L1",
        attrs: { message, tier: "bench" },
      })),
      threads: [{ id: "T1", name: "main" }],
      logs: [{ id: "L1", attrs: { logfile: `/var/log/${prefix1}.log` } }],
    }),
  );
}

/** As Scalyr's agent writes it: keys without quotes, strings with their length in front, places in a sequence. */
function addEventsOfAgent(events: readonly BenchEvent[], number: number): Buffer {
  const { prefix0, prefix1 } = senderOf(events);
  const attributes = `"parser": "app", "tier": "bench", "logfile": "/var/log/${prefix1}.log"`;
  let position = 0;
  const pieces = events.flatMap(({ time, message }, index) => {
    const line = Buffer.from(`${message}\n`);
    const length = Buffer.alloc(4);
    length.writeInt32BE(line.length);
    position += line.length;
    const place = index === 0 ? `,si:"bench-${number}",sn:${position}` : `,sd:${line.length}`;
    return [
      Buffer.from(
        `${index === 0 ? "" : ","}{thread:"log_1", log:"log_1", attrs:{${attributes},message:\`s`,
      ),
      length,
      line,
      Buffer.from(`}${place},ts:"${time}"}`),
    ];
  });
  return Buffer.concat([
    Buffer.from(
      `{"token": "${WRITE_TOKEN}", "session": "bench-agent-${number}", "threads": [], "sessionInfo": {"serverHost": "${prefix0}"}, events: [`,
    ),
    ...pieces,
    Buffer.from(
      `], logs: [{"id": "log_1", "attrs": {${attributes}}}], threads: [{"id": "log_1", "name": "Lines for file ${prefix1}"}], client_time: 1 }`,
    ),
  ]);
}

const nativeNdjson = lines((event) => JSON.stringify(event));

/** Native NDJSON of many events and of one: what the others are compared with. */
export const nativeForm: DoorForm = {
  name: "native NDJSON",
  door: "native",
  over: "http",
  to: "/api/ingest/v1",
  headers: { ...native, "content-type": "application/x-ndjson" },
  eventsPerRequest: BATCH,
  target: NO_MORE,
  body: nativeNdjson,
};
export const nativeSingleForm: DoorForm = { ...nativeForm, eventsPerRequest: 1 };

const forms: readonly Omit<DoorForm, "target" | "eventsPerRequest">[] = [
  {
    name: "native JSON",
    door: "native",
    over: "http",
    to: "/api/ingest/v1",
    headers: { ...native, "content-type": "application/json" },
    body: (events) => Buffer.from(JSON.stringify({ events })),
  },
  {
    name: "Loggly bulk, text",
    door: "loggly",
    over: "http",
    to: `/bulk/${WRITE_TOKEN}/tag/bench,web/`,
    headers: text,
    body: messages,
  },
  {
    name: "Loggly bulk, JSON",
    door: "loggly",
    over: "http",
    to: `/bulk/${WRITE_TOKEN}/tag/bench,web/`,
    headers: text,
    body: logglyJson,
  },
  {
    name: "LogTrace",
    door: "logtrace",
    over: "http",
    to: "/v1/logs/ingest",
    headers: { authorization: `Bearer ${WRITE_TOKEN}`, "content-type": "application/json" },
    body: logtrace,
  },
  {
    name: "Scalyr addEvents, JSON",
    door: "scalyr-add-events",
    over: "http",
    to: "/api/addEvents",
    headers: { "content-type": "application/json" },
    body: addEventsJson,
  },
  {
    name: "Scalyr addEvents, agent",
    door: "scalyr-add-events",
    over: "http",
    to: "/addEvents",
    headers: { "content-type": "application/json" },
    body: addEventsOfAgent,
  },
  { name: "Loggly syslog TCP", door: "loggly-syslog", over: "tcp", to: "syslog", body: syslog },
  {
    name: "LogTrace Logstash TCP",
    door: "logtrace-logstash",
    over: "tcp",
    to: "logstash",
    body: logstash,
  },
  {
    name: "LogTrace Logstash UDP",
    door: "logtrace-logstash",
    over: "udp",
    to: "logstash",
    body: logstash,
  },
];

const singleForms: readonly Omit<DoorForm, "target" | "eventsPerRequest">[] = [
  {
    name: "Loggly input, text",
    door: "loggly",
    over: "http",
    to: `/inputs/${WRITE_TOKEN}/tag/bench/`,
    headers: text,
    body: messages,
  },
  {
    name: "Loggly input, JSON",
    door: "loggly",
    over: "http",
    to: `/inputs/${WRITE_TOKEN}/tag/bench/`,
    headers: text,
    body: logglyJson,
  },
  {
    name: "Logentries HTTP",
    door: "logentries",
    over: "http",
    to: `/v1/logs/${WRITE_TOKEN}`,
    headers: text,
    body: messages,
  },
];

export const doorForms: readonly DoorForm[] = [
  nativeForm,
  {
    name: "Logentries token TCP",
    door: "logentries-token",
    over: "tcp",
    to: "token",
    eventsPerRequest: BATCH,
    target: NO_MORE,
    body: lines((event) => `${WRITE_TOKEN} ${oneLine(event)}`),
  },
  {
    name: "Scalyr uploadLogs",
    door: "scalyr-upload-logs",
    over: "http",
    to: `/api/uploadLogs?token=${WRITE_TOKEN}&host=web-1&logfile=/var/log/app.log&parser=app&server-tier=bench`,
    headers: text,
    eventsPerRequest: BATCH,
    target: NO_MORE,
    body: messages,
  },
  ...forms.map((form) => ({ ...form, eventsPerRequest: BATCH, target: MOST })),
  nativeSingleForm,
  ...singleForms.map((form) => ({ ...form, eventsPerRequest: 1, target: MOST })),
];

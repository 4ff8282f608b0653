// Log lines of the kinds that fill real stores: web access, JSON, Java with stack traces, PostgreSQL, syslog, Kubernetes.
// What is random in real lines (ids, addresses, numbers) is random here, what repeats there repeats here: a line that
// compresses better or worse than a real one would make the figures of disk and CPU worthless.
import type { Random } from "./random.ts";
import type { Stamp } from "./stamp.ts";
import type { Stream } from "./streams.ts";

/** The phrase is in 0.27 % of all events; web lines are 30 % of them. */
const TIMED_OUT_OF_WEB = 0.0027 / 0.3;

const CHROMES = Array.from(
  { length: 24 },
  (_, n) =>
    `Mozilla/5.0 (${["Windows NT 10.0; Win64; x64", "X11; Linux x86_64"][n % 2]}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${139 - n}.0.0.0 Safari/537.36`,
);
const AGENTS = [
  "okhttp/4.12.0",
  "Go-http-client/2.0",
  "python-requests/2.32.4",
  ...CHROMES,
  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
];
const METHODS = "GET GET GET GET GET GET POST POST PUT DELETE".split(" ");
const STATUSES = [
  200, 200, 200, 200, 200, 200, 200, 200, 201, 204, 301, 302, 304, 304, 400, 401, 403, 404, 404,
  429,
];
const COUNTRIES = "DE US FR GB NL PL ES IT SE JP BR IN".split(" ");
const LEVELS = "info info info info info info info info info debug debug warn".split(" ");

/** Clients come again: an address of a skewed pool of 300,000. */
function address(random: Random): string {
  const n = Math.imul(random.skewed(300_000), 2654435761) >>> 0;
  return `${1 + ((n >>> 24) % 222)}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

function inner(random: Random): string {
  return `10.1.${random.below(16)}.${random.below(255)}`;
}

function apiPath(random: Random, stream: Stream): string {
  const path = random.pick(stream.vocabulary.paths);
  return random.chance(0.25)
    ? `${path}?page=${random.skewed(40)}`
    : path + String(random.skewed(2_000_000));
}

function pagePath(random: Random): string {
  if (random.chance(0.3)) return `/static/${random.skewed(90) + 100}/app.min.js`;
  return `/shop/category/${random.skewed(400)}/product/${random.skewed(30_000)}`;
}

function webErrorLine(random: Random, stamp: Stamp, stream: Stream): string {
  return `${stamp.dateSlashed} ${stamp.clock} [error] ${20 + random.below(12)}#0: *${random.below(9_000_000)} upstream timed out (110: Operation timed out) while reading response header from upstream, client: ${address(random)}, server: shop.example.com, request: "GET ${apiPath(random, stream)} HTTP/1.1", upstream: "http://${inner(random)}:8080"`;
}

function webLine(random: Random, stamp: Stamp, stream: Stream): string {
  if (random.chance(TIMED_OUT_OF_WEB)) return webErrorLine(random, stamp, stream);
  const isApi = random.chance(0.6);
  const request = isApi
    ? `${random.pick(METHODS)} ${apiPath(random, stream)}`
    : `GET ${pagePath(random)}`;
  const status = random.chance(0.012) ? 500 + random.below(5) : random.pick(STATUSES);
  const agent = AGENTS[random.skewed(AGENTS.length)];
  return `${address(random)} - - [${stamp.commonLog}] "${request} HTTP/1.1" ${status} ${Math.floor(random.longTailed(2800))} "${isApi ? "-" : "https://shop.example.com/"}" "${agent}" 0.${Math.floor(random.longTailed(30))} ${inner(random)}:8080 ${random.hex16()}`;
}

function jsonLine(random: Random, stamp: Stamp, stream: Stream): string {
  const failed = random.chance(0.02);
  const message = failed
    ? "error while calling the upstream"
    : random.pick(stream.vocabulary.messages);
  const reason = failed ? `,"error":"connect ETIMEDOUT ${inner(random)}:5432"` : "";
  return `{"ts":"${stamp.date}T${stamp.clock}.${stamp.millis}Z","level":"${failed ? "error" : random.pick(LEVELS)}","service":"${stream.service}","version":"${stream.version}",${stream.vocabulary.fields},"msg":"${message}","trace_id":"${random.hex16()}${random.hex16()}","user_id":${random.skewed(800_000)},"country":"${random.pick(COUNTRIES)}","status":${random.pick(STATUSES)},"duration_ms":${random.longTailed(18).toFixed(2)}${reason}}`;
}

function javaLine(random: Random, stamp: Stamp, stream: Stream): string {
  const head = `${stamp.date} ${stamp.clock}.${stamp.millis}`;
  const worker = `[worker-${random.below(64)}]`;
  const { classes, messages, traces } = stream.vocabulary;
  const at = `c.e.${stream.service}.${random.pick(classes)}`;
  const order = random.below(40_000_000);
  // A quarter of the Java lines, 5 % of all, are stack traces; a program throws the same few again and again.
  if (random.chance(0.25)) {
    return `${head} ERROR ${worker} ${at} - order ${order} failed: ${traces[random.skewed(traces.length)]}`;
  }
  if (random.chance(0.5)) {
    return `${head} INFO  ${worker} ${at} - ${random.pick(messages)}: order=${order} status=${random.pick(STATUSES)} took ${Math.floor(random.longTailed(40))} ms`;
  }
  return `${head} DEBUG ${worker} ${at} - committed offset ${random.below(900_000_000)} of partition ${random.below(48)}`;
}

function postgresLine(random: Random, stamp: Stamp, stream: Stream): string {
  const head = `${stamp.date} ${stamp.clock}.${stamp.millis} UTC [${1000 + random.below(300)}] app@shop`;
  const form = random.below(100);
  if (form < 6) {
    return `${head} LOG:  checkpoint complete: wrote ${random.below(30_000)} buffers; sync=${random.fraction().toFixed(3)} s, total=${random.longTailed(20).toFixed(3)} s`;
  }
  if (form < 9) {
    return `${head} ERROR:  duplicate key value violates unique constraint "orders_pkey" DETAIL:  Key (id)=(${random.below(40_000_000)}) already exists.`;
  }
  return `${head} LOG:  duration: ${random.longTailed(12).toFixed(3)} ms  execute S_${random.below(60)}: ${random.pick(stream.vocabulary.statements)}${random.below(40_000_000)}`;
}

function syslogLine(random: Random, stamp: Stamp, stream: Stream): string {
  const head = `${stamp.syslog} ${stream.host}`;
  if (stream.service === "sshd") {
    return `${head} sshd[${random.below(65_000)}]: Failed password for invalid user admin from ${address(random)} port ${1024 + random.below(60_000)} ssh2`;
  }
  if (stream.service === "cron") {
    return `${head} CRON[${random.below(65_000)}]: (root) CMD (/usr/local/bin/backup --quick --slot ${random.below(12)})`;
  }
  if (stream.service === "systemd") {
    return `${head} systemd[1]: session-${random.below(900_000)}.scope: Deactivated successfully.`;
  }
  if (random.chance(0.01)) {
    return `${head} kernel: Out of memory: Killed process ${random.below(65_000)} (java) total-vm:${random.below(9_000_000)}kB, anon-rss:${random.below(4_000_000)}kB`;
  }
  return `${head} kernel: [${random.below(9_000_000)}.${100_000 + random.below(900_000)}] IPTables-Dropped: IN=eth0 OUT= SRC=${address(random)} DST=${inner(random)} LEN=${40 + random.below(1400)} PROTO=TCP DPT=${random.skewed(65_000)}`;
}

function kubernetesLine(random: Random, stamp: Stamp, stream: Stream): string {
  const head = `I${stamp.monthDay} ${stamp.clock}.${stamp.micros}    1001`;
  const form = random.below(3);
  if (form === 0) {
    return `${head} reconciler.go:245] "MountVolume.SetUp succeeded" volume="kube-api-access-${random.hex4()}" pod="${stream.namespace}/checkout-${random.hex8()}" podUID="${random.uuid()}"`;
  }
  if (form === 1) {
    return `${head} kubelet.go:2453] "SyncLoop (PLEG): event for pod" pod="${stream.namespace}/checkout-${random.hex8()}" event={"ID":"${random.uuid()}","Type":"ContainerStarted"}`;
  }
  return `${head} prober.go:107] "Probe failed" probeType="Readiness" podUID="${random.uuid()}" containerName="app" output="HTTP probe failed with statuscode: ${500 + random.below(4)}"`;
}

/** What a stream carries, the share of all events that it is, and how many digits of a second its writer keeps. */
export const KINDS = {
  web: { share: 0.3, digits: 9, line: webLine },
  json: { share: 0.27, digits: 3, line: jsonLine },
  java: { share: 0.2, digits: 3, line: javaLine },
  postgres: { share: 0.07, digits: 3, line: postgresLine },
  syslog: { share: 0.08, digits: 6, line: syslogLine },
  kubernetes: { share: 0.08, digits: 9, line: kubernetesLine },
} as const;

export type Kind = keyof typeof KINDS;

/** The needle that a search has to find without any index of words: it is part of a longer one. */
export function needleLine(random: Random, stamp: Stamp): string {
  return `${stamp.date}T${stamp.clock}.${stamp.millis}Z audit session=xNEEDLE-7f3a9c2ez closed by ${address(random)} after ${random.below(4000)} requests, correlation ${random.uuid()}`;
}

// Peers that mean harm at every open port of a running service: what they do is counted, costs bounded memory, and
// disturbs nobody else.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ingest, waitForCount } from "../support/api.ts";
import { readReply, type RawReply } from "../support/raw-http.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const mib = 1_048_576;
const key = crypto.randomUUID();
const unknown = crypto.randomUUID();
const peers: Socket[] = [];
let service: Service;

beforeAll(async () => {
  service = await startService({
    env: {
      LOGBOOM_WRITE_TOKEN: key,
      LOGBOOM_TOKEN_TCP_PORT: "0",
      LOGBOOM_SYSLOG_PORT: "0",
      LOGBOOM_LOGSTASH_PORT: "0",
      LOGBOOM_INGEST_MEMORY_BYTES: String(64 * mib),
    },
  });
});

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

function portOf(variable: string): number {
  return Number(new RegExp(`"${variable}":(\\d+)`).exec(service.output)?.[1]);
}

async function openPeer(port: number): Promise<Socket> {
  const peer = connect({ port, host: "127.0.0.1", noDelay: true });
  peer.on("error", () => {});
  peers.push(peer);
  await once(peer, "connect");
  return peer;
}

/** The value of one series. */
async function metric(name: string, labels = ""): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  const series = labels === "" ? name : `${name}{${labels}}`;
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return Number(line?.split(" ").at(-1) ?? 0);
}

const dropped = (door: string, reason: string) =>
  metric("logboom_ingest_dropped_events_total", `door="${door}",reason="${reason}"`);

let marks = 0;

/** Others are served as ever: over a raw port and over HTTP. */
async function expectUndisturbed(): Promise<void> {
  const mark = `mark-${++marks}.`;
  const client = await openPeer(portOf("LOGBOOM_TOKEN_TCP_PORT"));
  client.write(`${key} ${mark}\n`);
  const owner = { ...service, url: service.url, writeToken: key, readToken: service.readToken };
  await ingest(owner, mark, { contentType: "text/plain" });
  await waitForCount(service, { regex: `.*${mark.replace(".", "\\.")}.*` }, 2);
}

describe("connections", () => {
  test("5,000 that stay silent, at each port that is open, leave room for others", async () => {
    const ports = ["LOGBOOM_TOKEN_TCP_PORT", "LOGBOOM_SYSLOG_PORT", "LOGBOOM_LOGSTASH_PORT"];
    const all = [...ports.map(portOf), service.port];
    const before = service.residentBytes;
    for (let count = 0; count < 5000; count += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => openPeer(all[index % all.length] ?? 0)),
      );
    }
    await expect
      .poll(() => metric("logboom_socket_connections", 'door="loggly-syslog"'))
      .toBe(1250);
    expect(service.residentBytes - before).toBeLessThan(150 * mib);
    await expectUndisturbed();
  });

  test("200 that never end a line share what newcomers may hold; their lines are dropped and counted", async () => {
    const before = service.residentBytes;
    const half = Buffer.alloc(mib / 2, "x");
    const port = portOf("LOGBOOM_SYSLOG_PORT");
    const counted = await dropped("loggly-syslog", "overloaded");
    for (let peer = 0; peer < 200; peer++) (await openPeer(port)).write(half);
    await expect
      .poll(() => dropped("loggly-syslog", "overloaded"), { timeout: 30_000 })
      .toBeGreaterThan(counted + 150);
    // A sixteenth of 64 MiB is held, where 100 MiB were sent.
    expect(await metric("logboom_ingest_pending_bytes")).toBeLessThan(8 * mib);
    expect(service.residentBytes - before).toBeLessThan(150 * mib);
    await expectUndisturbed();
  });

  test("a line of 10 MB without a known key is dropped by its parts", async () => {
    const counted = await dropped("logentries-token", "unknown-key");
    const peer = await openPeer(portOf("LOGBOOM_TOKEN_TCP_PORT"));
    peer.end(Buffer.concat([Buffer.alloc(10 * mib, `${unknown} `), Buffer.from("\n")]));
    await expect
      .poll(() => dropped("logentries-token", "unknown-key"), { timeout: 30_000 })
      .toBe(counted + 160);
    await expectUndisturbed();
  });
});

describe("datagrams", () => {
  test("of a flood are each stored, or counted with the reason why not", async () => {
    const socket = createSocket("udp4");
    const port = portOf("LOGBOOM_LOGSTASH_PORT");
    const kinds = [
      "not JSON",
      JSON.stringify({ message: "m", api_key: unknown }),
      JSON.stringify({ message: "flooded.", service: "s", api_key: key }),
    ];
    const total = 60_000;
    const reasons = ["malformed", "unknown-key", "receive-buffer", "overloaded"];
    for (let sent = 0; sent < total; sent += 500) {
      const sends = Array.from({ length: 500 }, (_, index) => kinds[(sent + index) % 3] ?? "");
      await Promise.all(
        sends.map(
          (text) =>
            new Promise<void>((resolve) => socket.send(text, port, "127.0.0.1", () => resolve())),
        ),
      );
    }
    socket.close();
    const accounted = async (): Promise<number> => {
      const drops = await Promise.all(
        reasons.map((reason) => dropped("logtrace-logstash", reason)),
      );
      const stored = await metric("logboom_ingest_events_total", 'door="logtrace-logstash"');
      return drops.reduce((sum, drop) => sum + drop, stored);
    };
    await expect.poll(accounted, { timeout: 30_000 }).toBe(total);
    const stored = await metric("logboom_ingest_events_total", 'door="logtrace-logstash"');
    expect(stored).toBeGreaterThan(0);
    await waitForCount(service, { regex: "flooded\\." }, stored);
    await expectUndisturbed();
  });
});

describe("bodies", () => {
  const trickles: NodeJS.Timeout[] = [];
  afterEach(() => {
    for (const timer of trickles.splice(0)) clearInterval(timer);
  });

  /** From another address than the senders of this test: no key was ever good there. */
  const stranger = "127.0.0.66";

  /** A body of so many bytes, of which the last never come, but one now and then. */
  function sendSlowly(target: string, sizeBytes: number): Socket {
    const socket = connect({ port: service.port, host: "127.0.0.1", localAddress: stranger });
    socket.on("error", () => {});
    peers.push(socket);
    socket.write(
      `POST ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${sizeBytes}\r\n\r\n`,
    );
    socket.write(Buffer.alloc(sizeBytes - 1000, "x"));
    trickles.push(setInterval(() => socket.write("x"), 200));
    return socket;
  }

  test("that nobody signed and that never end hold a quarter of the memory, and leave the rest", async () => {
    const before = service.residentBytes;
    await expectUndisturbed();
    const refused: RawReply[] = [];
    for (let peer = 0; peer < 40; peer++) {
      const reply = readReply(sendSlowly("/addEvents", 5 * mib), 110_000);
      reply.then(
        (one) => refused.push(one),
        () => {}, // those that have room are not answered before the test ends
      );
    }
    // At most three of 5 MiB have room.
    await expect.poll(() => refused.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(37);
    for (const reply of refused) {
      expect(reply).toMatchObject({
        status: 503,
        body: expect.stringContaining("error/server/backoff") as string,
      });
    }
    expect(await metric("logboom_ingest_pending_bytes")).toBeLessThanOrEqual(16 * mib);
    expect(service.residentBytes - before).toBeLessThan(250 * mib);
    // Who is known is served at the same door.
    const event = `{token:"${key}",events:[{attrs:{message:"beside."}}],x:"${"x".repeat(3 * mib)}"}`;
    const answer = await fetch(`${service.url}/addEvents`, { method: "POST", body: event });
    expect(await answer.json()).toMatchObject({ status: "success" });
    await expectUndisturbed();
  });

  test("of keys that are not good are not read at all", async () => {
    const socket = sendSlowly(`/bulk/${unknown}`, 4 * mib);
    expect(await readReply(socket)).toMatchObject({ status: 403 });
    expect(await metric("logboom_ingest_pending_bytes")).toBeLessThan(mib);
  });
});

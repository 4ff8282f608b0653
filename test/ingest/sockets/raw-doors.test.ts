// Raw ports with real sockets: vendors' lines, TLS, datagrams, peers that misbehave, a log without room, the end.
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { decodeContainer, type StoredEvent } from "../../../schemas/event-codec.ts";
import { Usage } from "../../../ingest/limits/usage.ts";
import { keys, openEdge, type Edge } from "../edge-fixture.ts";
import { makeTempDir } from "../log/log-fixture.ts";

const allPorts = {
  LOGBOOM_TOKEN_TCP_PORT: "0",
  LOGBOOM_SYSLOG_PORT: "0",
  LOGBOOM_LOGSTASH_PORT: "0",
  LOGBOOM_LOGSTASH_KEY: keys.logtrace,
};

let edge: Edge;
const clients: Socket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await edge[Symbol.asyncDispose]();
});

function portOf(variable: string): number {
  const port = edge.raw.ports[variable];
  if (port === undefined) throw new Error(`${variable} is not open`);
  return port;
}

async function openClient(variable = "LOGBOOM_TOKEN_TCP_PORT"): Promise<Socket> {
  const client = connect({ port: portOf(variable), host: "127.0.0.1", noDelay: true });
  client.on("error", () => {});
  clients.push(client);
  await once(client, "connect");
  return client;
}

async function write(client: Socket, data: string | Buffer): Promise<void> {
  await new Promise<void>((resolve) => client.write(data, () => resolve()));
}

/** Waits for so many events, and returns them. */
async function storedWhen(count: number): Promise<StoredEvent[]> {
  for (let tries = 0; tries < 400; tries++) {
    const events = await edge.stored();
    if (events.length >= count) return events;
    await sleep(25);
  }
  throw new Error(`${(await edge.stored()).length} events are stored, expected ${count}`);
}

const messagesOf = (events: readonly StoredEvent[]) => events.map(({ message }) => message);
const dropped = (door: string, reason: string) =>
  edge.counted("logboom_ingest_dropped_events_total", `door="${door}",reason="${reason}"`);

describe("DataHub's lines", () => {
  test("are those of the log that their port is bound to, and need no token", async () => {
    edge = await openEdge({
      LOGBOOM_DATAHUB: `0=${keys.logentries}, 0=${keys.logentriesOther},0=${keys.loggly}`,
    });
    const [one, other, unknown] = await Promise.all(
      [0, 1, 2].map((index) => openClient(`LOGBOOM_DATAHUB[${index}]`)),
    );
    // As le_java 1.1 and le_dotnet 2.8 write: with the log's id and the host in front, U+2028 for line breaks.
    await write(one as Socket, "LogID=5 HostName=web-1 first\u2028second\n\n");
    await write(other as Socket, `${keys.logentries} is no token here\nlast, without an end`);
    await write(unknown as Socket, "nobody's\n");
    (other as Socket).end();
    const events = await storedWhen(3);
    const shown = events.map(({ prefix1, prefix3, message }) => [prefix1, prefix3, message]);
    expect(shown.toSorted()).toEqual([
      ["app", "logentries", "LogID=5 HostName=web-1 first\nsecond"],
      ["other", "logentries", `${keys.logentries} is no token here`],
      ["other", "logentries", "last, without an end"],
    ]);
    expect(await dropped("logentries-token", "unknown-key")).toBe(1);
    const { log_id: id } = events.find(({ prefix1 }) => prefix1 === "app")?.attributes ?? {};
    await edge.tokens.revoke(id ?? "");
    await sleep(1100);
    await write(one as Socket, "late\n");
    await write(await openClient("LOGBOOM_DATAHUB[1]"), "after\n");
    expect(messagesOf(await storedWhen(4))).toContain("after");
    expect(messagesOf(await edge.stored())).not.toContain("late");
  });

  test("of more than 64 KiB become several events of the log", async () => {
    edge = await openEdge({ LOGBOOM_DATAHUB: `0=${keys.logentries}` });
    const line = "0123456789".repeat(15_000);
    await write(await openClient("LOGBOOM_DATAHUB[0]"), `${line}\nshort\n`);
    const events = await storedWhen(4);
    expect(messagesOf(events).slice(0, -1).join("")).toBe(line);
    expect(new Set(events.map(({ prefix1 }) => prefix1))).toEqual(new Set(["app"]));
  });
});

describe("token lines", () => {
  test("of many connections are stored in each one's order, with the labels of their logs", async () => {
    edge = await openEdge(allPorts);
    const open = await Promise.all(Array.from({ length: 20 }, () => openClient()));
    await Promise.all(
      open.map(async (client, index) => {
        const key = index % 2 === 0 ? keys.logentries : keys.logentriesOther;
        for (let line = 0; line < 50; line++) await write(client, `${key} ${index}-${line}\n`);
      }),
    );
    const events = await storedWhen(1000);
    for (const index of open.keys()) {
      const own = events.filter(({ message }) => message.startsWith(`${index}-`));
      expect(messagesOf(own)).toEqual(own.map((_, line) => `${index}-${line}`));
      expect(own).toHaveLength(50);
      const log = index % 2 === 0 ? "app" : "other";
      expect(new Set(own.map(({ prefix1 }) => prefix1))).toEqual(new Set([log]));
    }
    expect(await edge.counted("logboom_ingest_events_total", 'door="logentries-token"')).toBe(1000);
  });

  test("of unknown tokens, or of those revoked since, are dropped and counted", async () => {
    edge = await openEdge(allPorts);
    const client = await openClient();
    await write(client, `${keys.loggly} x\nno token\n${keys.logentries} good\n`);
    expect(messagesOf(await storedWhen(1))).toEqual(["good"]);
    expect(await dropped("logentries-token", "unknown-key")).toBe(2);
    await edge.tokens.revoke("log-1");
    await sleep(1100);
    await write(client, `${keys.logentries} late\n${keys.logentriesOther} other\n`);
    expect(messagesOf(await storedWhen(2))).toEqual(["good", "other"]);
  });

  test("may come after a PUT request without an end", async () => {
    edge = await openEdge(allPorts);
    const client = await openClient();
    await write(client, `PUT /${keys.account}/hosts/web-1/app/?realtime=1 HTTP/1.1\n\na\nb\n`);
    expect(await storedWhen(2)).toMatchObject([
      { message: "a", prefix0: "web-1", prefix1: "app" },
      { message: "b" },
    ]);
    // The key may write labels that begin with "web" alone.
    const other = await openClient();
    await write(other, `PUT /${keys.account}/hosts/db-1/app/ HTTP/1.1\r\nA: b\r\n\r\nc\nd\n`);
    other.end();
    await once(other, "close");
    await edge.closeRaw();
    expect(await edge.stored()).toHaveLength(2);
    expect(await dropped("logentries-token", "forbidden")).toBe(2);
  });

  test("of 10 MB are split, and a line that never ends is held in pieces only", async () => {
    edge = await openEdge(allPorts);
    const client = await openClient();
    const line = "é".repeat(5_000_000);
    await write(client, `${keys.logentries} ${line}\n${keys.logentries} after\n`);
    const events = await storedWhen(Math.ceil(10_000_037 / 65_536) + 1);
    expect(messagesOf(events).slice(0, -1).join("")).toBe(line);
    expect(events.at(-1)?.message).toBe("after");
    expect(
      Math.max(...events.map(({ message }) => Buffer.byteLength(message))),
    ).toBeLessThanOrEqual(65_536);
    const endless = await openClient();
    await write(endless, "x".repeat(5_000_000));
    await sleep(50);
    expect(edge.raw.pendingBytes).toBeLessThan(200_000);
  });

  test("that have no end yet are taken when the client goes", async () => {
    edge = await openEdge(allPorts);
    const client = await openClient();
    client.end(`${keys.logentries} whole\n${keys.logentries} without an end`);
    expect(messagesOf(await storedWhen(2))).toEqual(["whole", "without an end"]);
  });
});

describe("datagrams", () => {
  test("are lines, each for itself", async () => {
    edge = await openEdge(allPorts);
    const socket = createSocket("udp4");
    const send = (variable: string, text: string) =>
      new Promise<void>((resolve) => {
        socket.send(text, portOf(variable), "127.0.0.1", () => resolve());
      });
    await send("LOGBOOM_TOKEN_TCP_PORT", `${keys.logentries} one`);
    await send("LOGBOOM_TOKEN_TCP_PORT", `${keys.logentries} two\n${keys.logentriesOther} three\n`);
    await send("LOGBOOM_LOGSTASH_PORT", '{"message":"four","service":"s"}');
    await send("LOGBOOM_LOGSTASH_PORT", "not JSON");
    const events = await storedWhen(4);
    expect(messagesOf(events).toSorted()).toEqual(["four", "one", "three", "two"]);
    expect(await dropped("logtrace-logstash", "malformed")).toBe(1);
    socket.close();
  });

  test("that flood it while the log has no room are dropped and counted; HTTP goes on", async () => {
    edge = await openEdge(
      {
        ...allPorts,
        LOGBOOM_INGEST_MEMORY_BYTES: String(1_048_576),
        LOGBOOM_DRAIN_TIMEOUT_MS: "400",
      },
      { maxLogBytes: 0 },
    );
    const socket = createSocket("udp4");
    const line = `${keys.logentries} ${"x".repeat(1000)}`;
    for (let sent = 0; sent < 2000; sent++) {
      socket.send(line, portOf("LOGBOOM_TOKEN_TCP_PORT"), "127.0.0.1");
      if (sent % 50 === 0) await sleep(1);
    }
    await sleep(100);
    expect(await dropped("logentries-token", "overloaded")).toBeGreaterThan(0);
    expect(edge.raw.pendingBytes).toBeLessThan(100_000);
    const answer = await fetch(`${edge.url}/inputs/${keys.logglyApi}`, {
      method: "POST",
      body: "x",
    });
    expect(answer.status).toBe(403);
    socket.close();
    // What the log does not take until the end is lost, and not without a word.
    await edge.closeRaw();
    expect(await dropped("logentries-token", "stopped")).toBeGreaterThan(0);
    expect(edge.raw.pendingBytes).toBe(0);
  }, 30_000);
});

describe("Logstash's lines and datagrams", () => {
  const refusedLines = {
    malformed: ['{"message":', "[1]", '{"level":"INFO"}', '{"message":"m","timestamp":"noon"}'],
    "unknown-key": ['{"message":"m","api_key":"lt_live_ffffffffffffffffffffffffffffffff"}'],
    forbidden: ['{"message":"m","environment":"staging"}'],
  } as const;

  const countAll = async (): Promise<number> => {
    const reasons = ["malformed", "unknown-key", "forbidden", "too-long", "overloaded"];
    const counts = await Promise.all(reasons.map((reason) => dropped("logtrace-logstash", reason)));
    return counts.reduce((sum, one) => sum + one, 0);
  };

  test("of a flood over UDP are stored, or counted with their reasons, to the last", async () => {
    edge = await openEdge(
      {
        ...allPorts,
        LOGBOOM_INGEST_MEMORY_BYTES: String(4 * 1_048_576),
        LOGBOOM_DRAIN_TIMEOUT_MS: "2000",
      },
      { maxLogBytes: 4_000_000 },
    );
    const sent = 30_000;
    let most = 0;
    const lines = Object.values(refusedLines).flat();
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", () => resolve()));
    let unsent = 0;
    for (let n = 0; n < sent; n++) {
      const line =
        n % 10 === 0
          ? (lines[(n / 10) % lines.length] ?? "")
          : JSON.stringify({ message: `${n} ${"x".repeat(400)}`, extra: { n } });
      socket.send(line, portOf("LOGBOOM_LOGSTASH_PORT"), "127.0.0.1", (error) => {
        if (error !== null) unsent++;
      });
      if (n % 500 !== 0) continue;
      await sleep(1);
      most = Math.max(most, edge.raw.pendingBytes);
    }
    // The log has no room for them all: those that it does not take until the end are lost, and counted.
    await sleep(300);
    socket.close();
    await edge.closeRaw();
    const stored = await edge.stored();
    const stopped = await dropped("logtrace-logstash", "stopped");
    const lost = await dropped("logtrace-logstash", "receive-buffer");
    const known = stored.length + (await countAll()) + stopped + lost + unsent;
    // Other systems do not tell what they lost.
    if (process.platform === "linux") expect(known).toBe(sent);
    expect(await dropped("logtrace-logstash", "unknown-key")).toBeGreaterThan(0);
    expect(new Set(stored.map(({ message }) => message)).size).toBe(stored.length);
    expect(stored[0]?.attributes).toHaveProperty("n");
    // A sixteenth of the memory for ingest, and the datagram that filled it.
    expect(most).toBeLessThan(4 * 65_536 + 2_000);
  }, 60_000);

  test("of a flood over TCP wait for room; each refused one is counted, all others are stored", async () => {
    edge = await openEdge({ ...allPorts, LOGBOOM_INGEST_MEMORY_BYTES: String(4 * 1_048_576) });
    const clients = await Promise.all(
      Array.from({ length: 8 }, () => openClient("LOGBOOM_LOGSTASH_PORT")),
    );
    let most = 0;
    await Promise.all(
      clients.map(async (client, place) => {
        for (let n = 0; n < 500; n++) {
          const good = JSON.stringify({ message: `${place} ${n} ${"x".repeat(1000)}` });
          const bad = Object.values(refusedLines).flat();
          await write(client, `${good}\n${bad[n % bad.length]}\n`);
          most = Math.max(most, edge.raw.pendingBytes);
        }
      }),
    );
    const events = await storedWhen(8 * 500);
    for (let place = 0; place < 8; place++) {
      const own = messagesOf(events)
        .map((message) => message.split(" "))
        .filter(([from]) => from === String(place))
        .map(([, n]) => Number(n));
      expect(own).toEqual(Array.from({ length: 500 }, (_, n) => n));
    }
    while ((await countAll()) < 8 * 500) await sleep(5);
    expect(await countAll()).toBe(8 * 500);
    expect(await dropped("logtrace-logstash", "forbidden")).toBe((8 * 498) / 6);
    // What each of the connections had on its way when there was no room any more.
    expect(most).toBeLessThan(4 * 65_536 + 8 * 65_536);
    // They are the key's consumption, too, within a second or two.
    const usage = await Usage.open(edge.temp.log);
    await expect.poll(() => usage.recent("acme")[0]?.events, { timeout: 10_000 }).toBe(8 * 500);
    await usage.close();
  }, 60_000);
});

describe("syslog", () => {
  const header = (key: string) =>
    `<14>1 2026-11-21T04:47:34Z web-1 nginx 1 - [${key}@41058 tag="a"]`;

  test("is taken with lengths in front and line breaks behind", async () => {
    edge = await openEdge(allPorts);
    const client = await openClient("LOGBOOM_SYSLOG_PORT");
    const counted = `${header(keys.loggly)} two\nlines`;
    await write(
      client,
      `${header(keys.loggly)} one\n${counted.length} ${counted}${header(keys.logentries)} no\nplain\n`,
    );
    expect(await storedWhen(2)).toMatchObject([
      { message: "one", prefix0: "web-1", prefix1: "nginx", prefix2: "a", prefix3: "loggly" },
      { message: "two\nlines" },
    ]);
    expect(await dropped("loggly-syslog", "unknown-key")).toBe(1);
    expect(await dropped("loggly-syslog", "malformed")).toBe(1);
  });

  test("of more than an event may have is cut, and counted", async () => {
    edge = await openEdge({ ...allPorts, LOGBOOM_MAX_EVENT_BYTES: "100" });
    const client = await openClient("LOGBOOM_SYSLOG_PORT");
    await write(
      client,
      `${header(keys.loggly)} ${"x".repeat(200_000)}\n${header(keys.loggly)} next\n`,
    );
    expect(messagesOf(await storedWhen(2))).toEqual(["x".repeat(100), "next"]);
    expect(await edge.counted("logboom_ingest_mended_events_total", 'door="loggly-syslog"')).toBe(
      1,
    );
  });
});

describe("TLS", () => {
  function identity(dir: string): Record<string, string> {
    const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
    const request = [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
    ];
    execFileSync("openssl", [...request, "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { LOGBOOM_TLS_CERT: cert, LOGBOOM_TLS_KEY: key };
  }

  test("wants a certificate and a key, and says which variable names none", async () => {
    const { dir, remove } = makeTempDir();
    const { LOGBOOM_TLS_CERT: cert = "", ...key } = identity(dir);
    const opening = (path: string) => openEdge({ ...allPorts, ...key, LOGBOOM_TLS_CERT: path });
    await expect(opening(`${dir}/none`)).rejects.toThrow(
      `LOGBOOM_TLS_CERT "${dir}/none": cannot be read (ENOENT)`,
    );
    writeFileSync(cert, "no certificate");
    await expect(opening(cert)).rejects.toThrow(/^LOGBOOM_TLS_CERT, LOGBOOM_TLS_KEY: cannot be/);
    remove();
  });

  test("is spoken where a client begins with it, and its own port takes nothing else", async () => {
    const { dir, remove } = makeTempDir();
    edge = await openEdge({ ...allPorts, LOGBOOM_TOKEN_TLS_PORT: "0", ...identity(dir) });
    remove();
    for (const variable of ["LOGBOOM_TOKEN_TLS_PORT", "LOGBOOM_TOKEN_TCP_PORT"]) {
      const client = connectTls({
        port: portOf(variable),
        host: "127.0.0.1",
        rejectUnauthorized: false,
      });
      clients.push(client);
      await once(client, "secureConnect");
      await write(client, `${keys.logentries} over TLS\n`);
      client.end(`${keys.logentries} at the end`);
    }
    const plain = await openClient();
    await write(plain, `${keys.logentries} plain\n`);
    expect(messagesOf(await storedWhen(5)).toSorted()).toEqual([
      "at the end",
      "at the end",
      "over TLS",
      "over TLS",
      "plain",
    ]);
    const refused = await openClient("LOGBOOM_TOKEN_TLS_PORT");
    refused.write(`${keys.logentries} plain\n`);
    await once(refused, "close");
    const name = "logboom_socket_refused_connections_total";
    expect(await edge.counted(name, 'door="logentries-token"')).toBe(1);
  });
});

describe("connections", () => {
  test("that are silent go when there is no more room, those that bring events stay", async () => {
    edge = await openEdge(allPorts, { maxConnections: 20 });
    const good = await openClient();
    await write(good, `${keys.logentries} 1\n`);
    await storedWhen(1);
    const silent = await Promise.all(Array.from({ length: 60 }, () => openClient()));
    const late = await openClient();
    await write(late, `${keys.logentries} 2\n`);
    await storedWhen(2);
    await write(good, `${keys.logentries} 3\n`);
    await storedWhen(3);
    expect(await edge.counted("logboom_socket_connections", 'door="logentries-token"')).toBe(20);
    const name = "logboom_socket_refused_connections_total";
    expect(await edge.counted(name, 'door="logentries-token"')).toBe(42);
    expect(silent.length).toBe(60);
  });

  test("that never end a line leave those alone that do", async () => {
    edge = await openEdge({ ...allPorts, LOGBOOM_INGEST_MEMORY_BYTES: String(16 * 1_048_576) });
    const good = await openClient("LOGBOOM_SYSLOG_PORT");
    const head = `<14>1 - h a - - [${keys.loggly}@41058]`;
    await write(good, `${head} 1\n`);
    await storedWhen(1);
    const endless = await Promise.all(
      Array.from({ length: 8 }, () => openClient("LOGBOOM_SYSLOG_PORT")),
    );
    for (const client of endless) await write(client, "x".repeat(1_000_000));
    for (let tries = 0; tries < 400; tries++) {
      if ((await dropped("loggly-syslog", "overloaded")) > 0) break;
      await sleep(25);
    }
    expect(await dropped("loggly-syslog", "overloaded")).toBeGreaterThan(0);
    expect(edge.raw.pendingBytes).toBeLessThanOrEqual(1_048_576);
    // In two pieces, so that the first of them has to be held.
    const newcomer = await openClient("LOGBOOM_SYSLOG_PORT");
    for (const [client, text] of [
      [good, "y".repeat(500_000)],
      [newcomer, "short"],
    ] as const) {
      await write(client, `${head} ${text}`);
      await sleep(50);
      await write(client, " end\n");
    }
    const messages = messagesOf(await storedWhen(3));
    expect(messages.map(({ length }) => length)).toEqual([1, 500_004, 9]);
  });

  test("wait while the log has no room, and lose nothing", async () => {
    edge = await openEdge(
      { ...allPorts, LOGBOOM_INGEST_MEMORY_BYTES: String(4 * 1_048_576) },
      { maxLogBytes: 600_000 },
    );
    const count = 8000;
    const client = await openClient();
    const line = (index: number) => `${keys.logentries} ${index} ${"x".repeat(400)}\n`;
    const sending = (async () => {
      for (let index = 0; index < count; index += 100) {
        const lines = Array.from({ length: 100 }, (_, offset) => line(index + offset));
        await write(client, lines.join(""));
      }
    })();
    await sleep(300);
    // The log is full, and the rest is in the sender's hands: 256 KiB and a piece of it are here.
    expect(edge.raw.pendingBytes).toBeLessThan(1_500_000);
    expect((await edge.stored()).length).toBeLessThan(count);
    const seen: string[] = [];
    const consumption = await edge.temp.log.consume("g", async ({ read, commit, signal }) => {
      let offset = 0;
      while (!signal.aborted) {
        const records = await read(offset, 1e6, 50);
        for (const { value } of records) seen.push(...messagesOf(decodeContainer(value)));
        const last = records.at(-1);
        if (last === undefined) continue;
        offset = last.offset + 1;
        await commit({ offset, metadata: "" });
      }
    });
    await sending;
    for (let tries = 0; seen.length < count && tries < 400; tries++) await sleep(25);
    await consumption.close();
    expect(seen.map((message) => Number.parseInt(message, 10)).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, index) => index),
    );
  }, 60_000);

  test("at the end are told to go, and all that they have sent is durable", async () => {
    edge = await openEdge(allPorts);
    const open = await Promise.all(Array.from({ length: 10 }, () => openClient()));
    await Promise.all(
      open.map((client, index) =>
        write(
          client,
          `${keys.logentries} ${index} a\n`.repeat(500) + `${keys.logentries} ${index} end`,
        ),
      ),
    );
    const gone = Promise.all(open.map((client) => once(client.resume(), "end")));
    await edge.closeRaw();
    await gone;
    expect(await edge.stored()).toHaveLength(10 * 501);
    await expect(openClient()).rejects.toThrow("ECONNREFUSED");
  });
});

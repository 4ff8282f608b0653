// The server of any stage: what real agents send is understood, and what is in flight is answered.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import express, { type Express } from "express";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startHttpServer, type HttpServer } from "../../ingest/http-server.ts";
import { readUntil, writeRequest } from "./http-fixture.ts";

let app: Express;
let server: HttpServer;
let release: (() => void)[];

beforeEach(async () => {
  release = [];
  app = express();
  app.all("/hold", (_request, response) => {
    release.push(() => response.end("answered"));
  });
  app.use((request, response) => {
    response.json({ url: request.url, path: request.path, query: request.query });
  });
  server = await startHttpServer(app, { host: "127.0.0.1", port: 0 });
});

afterEach(async () => {
  for (const answer of release) answer();
  await server.drain(0);
});

async function ask(target: string, headers: Record<string, string> = {}): Promise<string> {
  const socket = await writeRequest(server.port, { connection: "close", ...headers }, "", {
    method: "GET",
    target,
  });
  return readUntil(socket, () => false);
}

describe("a request's target", () => {
  test.each([
    ["/a/b?c=d", "/a/b?c=d"],
    ["/", "/"],
    ["http://logs.example.com/a/b?c=d", "/a/b?c=d"],
    ["https://logs.example.com:443/a", "/a"],
    ["HTTPS://logs.example.com/a", "/a"],
    ["http://logs.example.com", "/"],
    ["http://logs.example.com?c=d", "/?c=d"],
    ["http://user@host/a?u=http://other/b", "/a?u=http://other/b"],
    ["/a?u=http://other/b", "/a?u=http://other/b"],
    ["/http://other/b", "/http://other/b"],
  ])("%s is served as %s", async (target, url) => {
    const reply = await ask(target);
    expect(reply).toMatch(/^HTTP\/1\.1 200 /);
    expect(reply).toContain(`"url":${JSON.stringify(url)}`);
  });

  test("of the absolute form is served as well when the client waits for 100 Continue", async () => {
    const reply = await ask("http://logs.example.com/a", {
      expect: "100-continue",
      "content-length": "0",
    });
    expect(reply).toContain('"url":"/a"');
  });

  test("may be tens of kilobytes, as pixels are", async () => {
    expect(await ask(`/p?event=${"x".repeat(50_000)}`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask(`/p?event=${"x".repeat(70_000)}`)).toMatch(/^HTTP\/1\.1 431 /);
  });
});

test("nothing is answered 100 Continue before the app knows the request", async () => {
  const socket = await writeRequest(
    server.port,
    { expect: "100-continue", "content-length": 5 },
    "",
    { target: "/hold" },
  );
  const early = readUntil(socket, (text) => text.length > 0, 200);
  expect(await early).toBe("");
  socket.destroy();
});

describe("what is no HTTP", () => {
  const sent = async (bytes: string): Promise<string> => {
    const socket = await connectSilently();
    socket.write(bytes);
    return readUntil(socket, () => false);
  };
  const post = "POST /a HTTP/1.1\r\nhost: h\r\n";

  test.each([
    ["other text", "hello\r\n\r\n", 400, "BAD_REQUEST", "request"],
    ["TLS", "\x16\x03\x01\x00\xa5\x01\x00", 400, "BAD_REQUEST", "request"],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "BAD_REQUEST", "request"],
    ["a negative length", `${post}content-length: -1\r\n\r\n`, 400, "BAD_REQUEST", "request"],
    [
      "two lengths",
      `${post}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      "BAD_REQUEST",
      "request",
    ],
    ["a long line", `GET /${"x".repeat(70_000)} HTTP/1.1\r\n`, 431, "TOO_LARGE", "head"],
    ["a long header", `${post}a: ${"x".repeat(70_000)}\r\n\r\n`, 431, "TOO_LARGE", "head"],
  ])("as %s is refused in words", async (_, bytes, status, errorCode, field) => {
    const reply = await sent(bytes);
    expect(reply).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(JSON.parse(reply.slice(reply.indexOf("\r\n\r\n")))).toEqual({
      error: expect.any(String) as string,
      errorCode,
      details: expect.objectContaining({ field }) as unknown,
    });
  });

  test("after whole requests is not answered in their place", async () => {
    const socket = await connectSilently();
    const reply = readUntil(socket, () => false);
    socket.write("GET /hold HTTP/1.1\r\nhost: h\r\n\r\n");
    while (release.length === 0) await sleep(5);
    socket.write("garbage\r\n\r\nmore of it\r\n\r\n");
    await sleep(50);
    for (const answer of release.splice(0)) answer();
    expect(await reply).toMatch(/^HTTP\/1\.1 200 [^]*answered/);
    expect(await reply).not.toContain("400");
  });

  test("other expectations than 100-continue are ignored", async () => {
    expect(await ask("/a", { expect: "banana" })).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe("connections beyond the limit", () => {
  test("cost the one that has asked nothing for longest, and none that is being answered", async () => {
    await server.drain(0);
    let refused = 0;
    server = await startHttpServer(app, {
      host: "127.0.0.1",
      port: 0,
      maxConnections: 3,
      onRefuse: () => refused++,
    });
    const held = await writeRequest(server.port, {}, "", { method: "GET", target: "/hold" });
    const silent = [await connectSilently(), await connectSilently()];
    const closed = silent.map((socket) => once(socket, "close"));
    expect(await ask("/a")).toMatch(/^HTTP\/1\.1 200 /);
    await closed[0];
    expect(await ask("/b")).toMatch(/^HTTP\/1\.1 200 /);
    expect(refused).toBe(1);
    expect(silent[1]?.destroyed).toBe(false);
    const answered = readUntil(held, (text) => text.includes("answered"));
    for (const answer of release.splice(0)) answer();
    expect(await answered).toContain("answered");
    silent[1]?.destroy();
  });

  test("close the newcomer when all others are being answered", async () => {
    await server.drain(0);
    server = await startHttpServer(app, { host: "127.0.0.1", port: 0, maxConnections: 1 });
    const held = await writeRequest(server.port, {}, "", { method: "GET", target: "/hold" });
    while (release.length === 0) await sleep(5);
    const newcomer = await connectSilently();
    await once(newcomer, "close");
    const answered = readUntil(held, (text) => text.includes("answered"));
    for (const answer of release.splice(0)) answer();
    expect(await answered).toContain("answered");
  });
});

/** A connection over which nothing is asked. */
async function connectSilently(): Promise<Socket> {
  const socket = connect({ port: server.port, host: "127.0.0.1" });
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

describe("draining", () => {
  /** Requests that the app is holding. */
  async function held(count: number): Promise<void> {
    while (release.length < count) await sleep(5);
  }

  test("answers what is in flight, and takes nothing new", async () => {
    const socket = await writeRequest(server.port, {}, "", { target: "/hold" });
    await held(1);
    let isDrained = false;
    const drained = server.drain(10_000).then(() => (isDrained = true));
    await sleep(50);
    expect(isDrained).toBe(false);
    await expect(fetch(`http://127.0.0.1:${server.port}/new`)).rejects.toThrow("fetch failed");
    for (const answer of release) answer();
    expect(await readUntil(socket, (text) => text.includes("answered"))).toContain("HTTP/1.1 200");
    await drained;
  });

  test("does not wait for connections that are kept without a request", async () => {
    const socket = await writeRequest(server.port, {}, "", { method: "GET", target: "/a" });
    await readUntil(socket, (text) => text.includes('"url"'));
    const begin = performance.now();
    await server.drain(10_000);
    expect(performance.now() - begin).toBeLessThan(2000);
    socket.destroy();
  });

  test("closes a kept connection once its last request is answered", async () => {
    const socket = await writeRequest(server.port, { connection: "keep-alive" }, "", {
      target: "/hold",
    });
    await held(1);
    const begin = performance.now();
    const drained = server.drain(10_000);
    for (const answer of release) answer();
    expect(await readUntil(socket, () => false)).toContain("answered");
    await drained;
    expect(performance.now() - begin).toBeLessThan(2000);
  });

  test("gives up on what is not answered in time", async () => {
    const socket = await writeRequest(server.port, {}, "", { target: "/hold" });
    await held(1);
    const begin = performance.now();
    await server.drain(150);
    expect(performance.now() - begin).toBeGreaterThan(140);
    expect(performance.now() - begin).toBeLessThan(3000);
    expect(await readUntil(socket, () => false)).toBe("");
  });
});

test("a port that is taken is an error, not a crash", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  await expect(startHttpServer(app, { host: "127.0.0.1", port })).rejects.toThrow("EADDRINUSE");
  taken.close();
});

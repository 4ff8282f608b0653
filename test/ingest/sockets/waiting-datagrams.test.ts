// Datagrams that came while nobody read: by one system call for many of them, and as the listener takes them.
import { execFileSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { UdpListener } from "../../../ingest/sockets/udp-listener.ts";
import { openWaiting } from "../../../ingest/sockets/waiting-datagrams.ts";
import { waitUntil } from "../wait-until.ts";

/** The longest that fits into a packet. */
const LONGEST = 65_507;

const open: { close(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function openSocket(type: "udp4" | "udp6", address: string): Promise<Socket> {
  const socket = createSocket({ type, recvBufferSize: 4 * 1024 * 1024 });
  socket.bind(0, address);
  await once(socket, "listening");
  open.push(socket);
  return socket;
}

/** Sends from another process while this one stands still: all of them wait in the kernel afterwards. */
function sendMeanwhile(port: number, texts: readonly string[], address = "127.0.0.1"): void {
  const program = `
    const socket = require("node:dgram").createSocket("${address.includes(":") ? "udp6" : "udp4"}");
    const send = async () => {
      for (const text of JSON.parse(require("node:fs").readFileSync(0, "utf8"))) {
        await new Promise((resolve) => socket.send(text, ${port}, "${address}", resolve));
      }
      socket.close();
    };
    send();`;
  execFileSync(process.execPath, ["-e", program], { input: JSON.stringify(texts) });
}

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => `datagram ${index}`);

// Elsewhere Node.js hands over every datagram.
describe.runIf(process.platform === "linux")("one call", () => {
  test.each([
    ["udp4", "127.0.0.1"],
    ["udp6", "::1"],
  ] as const)("reads 8 datagrams at most, in order, over %s", async (type, address) => {
    const socket = await openSocket(type, address);
    const readWaiting = openWaiting(socket);
    sendMeanwhile(socket.address().port, numbered(20), address);
    const read = [1, 2, 3, 4].map(() => {
      const texts: string[] = [];
      readWaiting?.((datagram) => texts.push(datagram.toString()));
      return texts;
    });
    expect(read.map(({ length }) => length)).toEqual([8, 8, 4, 0]);
    expect(read.flat()).toEqual(numbered(20));
  });

  test("reads datagrams of any length", async () => {
    const socket = await openSocket("udp4", "127.0.0.1");
    const readWaiting = openWaiting(socket);
    const texts = ["", "x".repeat(LONGEST), "y", "z".repeat(9000), ""];
    sendMeanwhile(socket.address().port, texts);
    const read: string[] = [];
    readWaiting?.((datagram) => read.push(datagram.toString()));
    expect(read).toEqual(texts);
  });

  test("reads the datagrams of its own socket alone", async () => {
    const one = await openSocket("udp4", "127.0.0.1");
    const other = await openSocket("udp4", "127.0.0.1");
    const readOne = openWaiting(one);
    const readOther = openWaiting(other);
    sendMeanwhile(one.address().port, ["for one"]);
    const read: string[] = [];
    readOther?.(() => read.push("not for the other"));
    readOne?.((datagram) => read.push(datagram.toString()));
    expect(read).toEqual(["for one"]);
  });
});

describe("the listener", () => {
  test.each([
    ["whose bytes are kept", false],
    ["whose bytes are read at once", true],
  ])("takes each datagram %s once, in order", async (_, keepsNoBytes) => {
    const lines: (Buffer | string)[] = [];
    const drops: string[] = [];
    let isFull = false;
    const listener = await UdpListener.open({
      host: "127.0.0.1",
      port: 0,
      protocol: {
        name: "logentries-token",
        overflow: "drop",
        keepsNoBytes,
        open: () => (line) => void lines.push(keepsNoBytes ? line.toString() : line),
      },
      sink: { find: () => undefined, store: () => {}, drop: (reason) => void drops.push(reason) },
      isFull: () => isFull,
      onLost: () => {},
    });
    open.push({ close: () => listener.close(1000) });
    const first = [...numbered(50), "x".repeat(LONGEST), "", "two\nlines", ...numbered(50)];
    sendMeanwhile(listener.port, first);
    const expected = first.flatMap((text) => (text === "" ? [] : text.split("\n")));
    await waitUntil(() => lines.length >= expected.length);
    // Those of the second burst stand where those of the first stood.
    sendMeanwhile(listener.port, numbered(40));
    await waitUntil(() => lines.length >= expected.length + 40);
    expect(lines.map(String)).toEqual([...expected, ...numbered(40)]);
    isFull = true;
    sendMeanwhile(listener.port, numbered(40));
    await waitUntil(() => drops.length >= 40);
    expect(drops).toEqual(numbered(40).map(() => "overloaded"));
    expect(lines).toHaveLength(expected.length + 40);
  });
});

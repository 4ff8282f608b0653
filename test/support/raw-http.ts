// Speaks HTTP over a bare socket, for clients that behave badly.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Service } from "./service.ts";

/** The head of a request, and the socket that it was written to. */
export async function openRequest(
  service: Service,
  target: string,
  headers: Readonly<Record<string, string | number>>,
  method = "POST",
): Promise<Socket> {
  const socket = connect({ port: service.port, host: "127.0.0.1", noDelay: true });
  socket.on("error", () => undefined); // a refused client may see a reset after its reply
  await once(socket, "connect");
  const lines = Object.entries({ host: "127.0.0.1", ...headers });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`${method} ${target} HTTP/1.1\r\n${head}\r\n`);
  return socket;
}

export interface RawReply {
  readonly status: number;
  readonly body: string;
}

/** Waits for the first whole reply on the socket, then closes it. */
export async function readReply(socket: Socket, timeoutMs = 30_000): Promise<RawReply> {
  let text = "";
  const timer = setTimeout(() => socket.destroy(new Error("no reply")), timeoutMs);
  try {
    for await (const chunk of socket) {
      text += (chunk as Buffer).toString("utf8");
      const reply = parseReply(text);
      if (reply !== undefined) return reply;
    }
  } catch {
    // a reset: what came before it counts
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
  throw new Error(`the connection ended without a whole reply: ${JSON.stringify(text)}`);
}

function parseReply(text: string): RawReply | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
  const body = text.slice(headEnd + 4);
  const length = /^content-length: (\d+)/im.exec(text.slice(0, headEnd))?.[1];
  if (length === undefined) {
    // A chunked body ends with an empty chunk; ours is one chunk.
    if (!body.endsWith("0\r\n\r\n")) return undefined;
    return { status, body: body.replace(/^[0-9a-f]+\r\n/i, "").replace(/\r\n0\r\n\r\n$/, "") };
  }
  return Buffer.byteLength(body) >= Number(length) ? { status, body } : undefined;
}

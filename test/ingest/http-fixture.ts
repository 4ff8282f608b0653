// A bare HTTP server on loopback for what handles single requests, and clients that behave badly.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

export interface LoopbackServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
}

/** As the service's server, it leaves "100 Continue" to the handler. */
export async function serve(handler: Handler): Promise<LoopbackServer> {
  const server = createServer();
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    void (async () => handler(request, response))();
  };
  server.on("request", handle).on("checkContinue", handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** A connection on which a request's head was written, and perhaps some of its body. */
export async function writeRequest(
  port: number,
  headers: Readonly<Record<string, string | number>>,
  body: string | Buffer = "",
  { method = "POST", target = "/" }: { method?: string; target?: string } = {},
): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  // A refused client may see a reset after its reply.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const lines = Object.entries({ host: "127.0.0.1", ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`);
  if (body.length > 0) socket.write(body);
  return socket;
}

/** What the other side has written when `isEnough`, or when it ends. */
export async function readUntil(
  socket: Socket,
  isEnough: (text: string) => boolean,
  timeoutMs = 10_000,
): Promise<string> {
  let text = "";
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  try {
    for await (const piece of socket.iterator({ destroyOnReturn: false })) {
      text += (piece as Buffer).toString("latin1");
      if (isEnough(text)) break;
    }
  } catch {
    // A reset: what came before it counts.
  } finally {
    clearTimeout(timer);
  }
  return text;
}

// The HTTP server of any stage: tolerant of what real agents send, bounded, and drained before it closes.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Express } from "express";

/** A whole request, however slowly it comes. */
const REQUEST_TIMEOUT_MS = 300_000;
const HEADERS_TIMEOUT_MS = 20_000;
/** How often peers are looked for that take too long. */
const CHECK_EVERY_MS = 5_000;
/** Files and the store need handles, too. */
const MAX_CONNECTIONS = 10_000;
/** Longer than usual fronts keep an idle connection, so that they, not we, close it. */
const KEEP_ALIVE_MS = 75_000;
/** Pixels and other GET ingest carry events in the URL. */
const MAX_HEADER_BYTES = 64 * 1024;

export interface HttpServer {
  readonly port: number;
  /** Stops listening, answers what is in flight within the time given, then closes every connection. */
  drain(timeoutMs: number): Promise<void>;
}

interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly maxConnections?: number;
  /** Told of each connection that is closed to stay within the limit. */
  readonly onRefuse?: () => void;
}

export async function startHttpServer(
  app: Express,
  { host, port, maxConnections = MAX_CONNECTIONS, onRefuse = () => {} }: HttpServerOptions,
): Promise<HttpServer> {
  const server = createServer({
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  const noteRequest = boundConnections(server, maxConnections, onRefuse);
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    noteRequest(request, response);
    request.url = originForm(request.url ?? "/");
    app(request, response);
  };
  server.on("request", handle);
  // Without this Node answers "100 Continue" before we know the token or the declared size.
  server.on("checkContinue", handle);
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    drain: (timeoutMs) => drain(server, timeoutMs),
  };
}

/**
 * Peers that connect and ask nothing cannot shut others out: beyond the limit the connection goes that has
 * been without a request for longest.
 *
 * @returns what each request is to be told to
 */
function boundConnections(
  server: Server,
  maxConnections: number,
  onRefuse: () => void,
): (request: IncomingMessage, response: ServerResponse) => void {
  const open = new Set<Socket>();
  /** The one that has waited longest is first. */
  const idle = new Set<Socket>();
  server.on("connection", (socket) => {
    open.add(socket);
    idle.add(socket);
    socket.once("close", () => {
      open.delete(socket);
      idle.delete(socket);
    });
    if (open.size <= maxConnections) return;
    onRefuse();
    const [longest = socket] = idle;
    open.delete(longest);
    idle.delete(longest);
    longest.destroy();
  });
  return ({ socket }, response) => {
    idle.delete(socket);
    response.once("close", () => {
      if (open.has(socket)) idle.add(socket);
    });
  };
}

/**
 * Clients behind a proxy setting send the absolute form (`POST https://host/path`) on the plain port, as
 * node-loggly-bulk 4.0.2 does; RFC 9112, section 3.2.2 obliges a server to accept it.
 */
function originForm(target: string): string {
  return target.replace(/^https?:\/\/[^/?#]*/i, "").replace(/^(?!\/)/, "/");
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function drain(server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    // A connection that is between two requests would otherwise be waited for until its client goes.
    server.closeIdleConnections();
    const idle = setInterval(() => {
      server.closeIdleConnections();
    }, 100).unref();
    server.once("close", () => clearInterval(idle));
  });
}

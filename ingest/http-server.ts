// The HTTP server of any stage: tolerant of what real agents send, bounded, and drained before it closes.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Express } from "express";
import { HttpConnections } from "./http-connections.ts";
import { MAX_HEAD_BYTES } from "./malformed-request.ts";

/** A whole request, however slowly it comes. */
const REQUEST_TIMEOUT_MS = 300_000;
const HEADERS_TIMEOUT_MS = 20_000;
/** How often peers are looked for that take too long. */
const CHECK_EVERY_MS = 5_000;
/** Files and the store need handles, too. */
const MAX_CONNECTIONS = 10_000;
/** Longer than usual fronts keep an idle connection, so that they, not we, close it. */
const KEEP_ALIVE_MS = 75_000;

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
    maxHeaderSize: MAX_HEAD_BYTES,
  });
  const connections = new HttpConnections(server, { maxConnections, onRefuse });
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    connections.note(request, response);
    request.url = originForm(request.url ?? "/");
    app(request, response);
  };
  server.on("request", handle);
  // Without this Node answers "100 Continue" before we know the token or the declared size.
  server.on("checkContinue", handle);
  // Other expectations may be ignored (RFC 9110, section 10.1.1).
  server.on("checkExpectation", handle);
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    drain: (timeoutMs) => drain(server, timeoutMs),
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

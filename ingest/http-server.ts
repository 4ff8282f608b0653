// The HTTP server of any stage: tolerant of what real agents send, bounded, and drained before it closes.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Express } from "express";

/** A whole request, however slowly it comes. */
const REQUEST_TIMEOUT_MS = 300_000;
const HEADERS_TIMEOUT_MS = 20_000;
/** Longer than usual fronts keep an idle connection, so that they, not we, close it. */
const KEEP_ALIVE_MS = 75_000;
/** Pixels and other GET ingest carry events in the URL. */
const MAX_HEADER_BYTES = 64 * 1024;

export interface HttpServer {
  readonly port: number;
  /** Stops listening, answers what is in flight within the time given, then closes every connection. */
  drain(timeoutMs: number): Promise<void>;
}

export async function startHttpServer(
  app: Express,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<HttpServer> {
  const server = createServer({
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  server.on("request", (request, response) => {
    request.url = originForm(request.url ?? "/");
    app(request, response);
  });
  // Without this Node answers "100 Continue" before we know the token or the declared size.
  server.on("checkContinue", (request, response) => {
    request.url = originForm(request.url ?? "/");
    app(request, response);
  });
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

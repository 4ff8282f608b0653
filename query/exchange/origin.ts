// Scheme and host of the addresses in answers: what the client itself used.
import type { IncomingMessage } from "node:http";

/** The vendors' own hosts are served by TLS alone: who came by such a name came through a front that ended it. */
const vendorHosts =
  /(?:^|\.)(?:loggly\.com|logentries\.com|rapid7\.com|scalyr\.com|logtrace\.io)$/i;

/** `https://host` or `http://host:port`, without a slash at the end. */
export function originOf({ headers, socket }: IncomingMessage): string {
  const host = headers.host ?? `${socket.localAddress ?? "localhost"}:${socket.localPort ?? 80}`;
  const forwarded = firstOf(headers["x-forwarded-proto"])?.toLowerCase();
  const name = host.replace(/:\d+$/, "");
  const isSecure =
    forwarded === undefined ? vendorHosts.test(name) && name === host : forwarded === "https";
  return `${isSecure ? "https" : "http"}://${host}`;
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return [header].flat()[0]?.split(",")[0]?.trim();
}

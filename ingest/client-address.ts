// The address of a request's client: the peer's, or what proxies that are trusted say it is.
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/**
 * Express reads X-Forwarded-For from the right, as far as the addresses are those of trusted proxies (its setting
 * "trust proxy"): what a client itself wrote further left counts for nothing. What is no address falls back
 * to the peer's.
 *
 * @param request with Express' `ip`
 */
export function clientAddress(
  request: IncomingMessage & { readonly ip?: string | undefined },
): string | undefined {
  const { ip, socket } = request;
  return ip !== undefined && isIP(ip) !== 0 ? ip : socket.remoteAddress;
}

// Requests and principals as doors get them, and what they make of a body.
import type { Principal } from "../../../ingest/keys/permission.ts";
import { withoutOrigin } from "../../../ingest/origin.ts";
import type { DoorRequest, IncomingEvent, IncomingEvents } from "../../../ingest/protocols/door.ts";
import type { LineProtocol } from "../../../ingest/protocols/line-protocol.ts";

export const uuid = "11111111-2222-3333-4444-555555555555";

/** @param target path and query string */
export function requestOf(
  target: string,
  { method = "POST", headers = {} }: { method?: string; headers?: DoorRequest["headers"] } = {},
): DoorRequest {
  const url = new URL(target, "http://localhost");
  return { method, path: url.pathname, address: "192.0.2.7", query: url.searchParams, headers };
}

export function principalOf(facts: Partial<Principal> = {}): Principal {
  return {
    tokenId: "t-1",
    kind: "write",
    customer: "acme",
    prefixes: ["", "", "", ""],
    ...facts,
  };
}

/** Events with their messages as text, and without what is undefined. */
export function eventsOf({ events }: IncomingEvents): Record<string, unknown>[] {
  return [...events].map(plain);
}

export function plain(event: IncomingEvent): Record<string, unknown> {
  const whole = withoutOrigin(event);
  const entries = Object.entries({ ...whole, message: whole.message.toString("utf8") });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** What lines become: events with the id of their key, or the reason why there is none. */
export function takeLines(
  protocol: LineProtocol,
  keys: Readonly<Record<string, Principal>>,
  lines: readonly (string | Buffer | { readonly continuation: string })[],
): (Record<string, unknown> | string)[] {
  const taken: (Record<string, unknown> | string)[] = [];
  const handle = protocol.open({
    find: (secret) => keys[secret],
    store: ({ tokenId }, event) => taken.push({ key: tokenId, ...plain(event) }),
    drop: (reason) => taken.push(reason),
  });
  for (const line of lines) {
    if (typeof line === "string" || Buffer.isBuffer(line)) handle(Buffer.from(line), false);
    else handle(Buffer.from(line.continuation), true);
  }
  return taken;
}

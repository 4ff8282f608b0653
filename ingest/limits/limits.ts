// Whether a key may make a request now, by its tier's and kind's windows.
import { LogboomError } from "../../schemas/errors.ts";
import type { EndpointFamily } from "../../schemas/token.ts";
import type { Principal } from "../keys/permission.ts";
import { ruleOf } from "./rules.ts";
import type { UsageWindow } from "./usage-record.ts";
import type { Usage } from "./usage.ts";

export interface Taken {
  readonly isAllowed: boolean;
  /** Requests in a window; undefined when they are not limited, and then the rest is 0. */
  readonly limit: number | undefined;
  /** Requests that are left after this one. */
  readonly remaining: number;
  /** Seconds to the next window, rounded up. */
  readonly resetSeconds: number;
}

const UNLIMITED: Taken = { isAllowed: true, limit: undefined, remaining: 0, resetSeconds: 0 };

/**
 * Exact on one edge; over several edges the totals meet within two seconds, so that a key which uses all at
 * once may get a little more. {@link Limits.settle} makes what was counted outlive the process.
 */
export class Limits {
  readonly #usage: Usage;
  readonly #now: () => number;

  constructor(usage: Usage, now: () => number = Date.now) {
    this.#usage = usage;
    this.#now = now;
  }

  /** Counts requests unless they exceed the limit; then as refused, or, being queued, all the same. */
  take(
    principal: Principal,
    family: EndpointFamily,
    requests = 1,
    { isQueued = false }: { readonly isQueued?: boolean } = {},
  ): Taken {
    const window = this.#windowOf(principal, family);
    if (window === undefined) return UNLIMITED;
    const { windowStart, windowMs, maxRequests } = window;
    const left = Math.max(0, maxRequests - this.#usage.total(window));
    const isAllowed = requests <= left;
    this.#usage.add(window, isAllowed || isQueued ? { requests } : { refused: requests });
    return {
      isAllowed,
      limit: maxRequests,
      remaining: isAllowed ? left - requests : left,
      resetSeconds: Math.ceil((windowStart + windowMs - this.#now()) / 1000),
    };
  }

  /** Whether one more request is within the limit. */
  has(principal: Principal, family: EndpointFamily): boolean {
    const window = this.#windowOf(principal, family);
    return window === undefined || this.#usage.total(window) < window.maxRequests;
  }

  /** @throws LogboomError RATE_LIMITED when the requests exceed the limit, saying when the next window begins. */
  require(principal: Principal, family: EndpointFamily, requests = 1): Taken {
    const taken = this.take(principal, family, requests);
    if (taken.isAllowed) return taken;
    const { limit = 0, resetSeconds } = taken;
    throw new LogboomError(
      "RATE_LIMITED",
      `the key's limit of ${limit} ${family} requests is reached; the next window begins in ${resetSeconds} s`,
      {
        retryAfterSeconds: resetSeconds,
        details: { reason: "limit-reached", family, limit },
      },
    );
  }

  /** Counts events that are durable. @param bytes of theirs, encoded */
  countEvents(principal: Principal, events: number, bytes: number): void {
    const window = this.#windowOf(principal, "ingest");
    if (window?.account !== undefined) this.#usage.add(window, { events, bytes });
  }

  /** Resolves when the key's counts so far are durable, or after a second. */
  async settle(principal: Principal): Promise<void> {
    if (principal.kind === "logtrace") await this.#usage.settle();
  }

  #windowOf(
    principal: Principal,
    family: EndpointFamily,
  ): (UsageWindow & { readonly maxRequests: number }) | undefined {
    const rule = ruleOf(principal, family);
    if (rule === undefined) return undefined;
    const { windowMs, maxRequests } = rule;
    const now = this.#now();
    const { tokenId, kind, customer, environment = "" } = principal;
    // The hours of LogTrace's keys are shown to their customers.
    const account = kind === "logtrace" ? { customer, environment, limit: maxRequests } : undefined;
    return { tokenId, family, windowStart: now - (now % windowMs), windowMs, maxRequests, account };
  }
}

/** The figures as Logentries shows them; none when requests are not limited. */
export function rateLimitHeaders({ isAllowed, limit, remaining, resetSeconds }: Taken) {
  if (limit === undefined) return {};
  return {
    "X-RateLimit-Limit": String(limit),
    // One client takes a 0 beside an answer for a refusal, so the last answer says 1.
    "X-RateLimit-Remaining": String(isAllowed ? Math.max(1, remaining) : remaining),
    // The older documents say seconds since the epoch; clients wait for this number of seconds.
    "X-RateLimit-Reset": String(resetSeconds),
  };
}

// Whether a key may make a request now, by its tier's and kind's windows.
import { LogboomError } from "../../schemas/errors.ts";
import type { EndpointFamily } from "../../schemas/token.ts";
import type { Principal } from "../keys/permission.ts";
import { ruleOf } from "./rules.ts";
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
 * Exact on one edge, restarts included but for the last second before a crash; over several edges the totals
 * meet within two seconds, so that a key which uses all at once may get a little more.
 */
export class Limits {
  readonly #usage: Usage;
  readonly #now: () => number;

  constructor(usage: Usage, now: () => number = Date.now) {
    this.#usage = usage;
    this.#now = now;
  }

  /** Counts requests unless they exceed the limit; what is refused is not counted. */
  take(principal: Principal, family: EndpointFamily, requests = 1): Taken {
    const rule = ruleOf(principal, family);
    if (rule === undefined) return UNLIMITED;
    const { windowMs, maxRequests } = rule;
    const now = this.#now();
    const windowStart = now - (now % windowMs);
    const window = { tokenId: principal.tokenId, family, windowStart, windowMs };
    const left = Math.max(0, maxRequests - this.#usage.total(window));
    const isAllowed = requests <= left;
    if (isAllowed) this.#usage.add(window, requests);
    return {
      isAllowed,
      limit: maxRequests,
      remaining: isAllowed ? left - requests : left,
      resetSeconds: Math.ceil((windowStart + windowMs - now) / 1000),
    };
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

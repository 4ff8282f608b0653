// How many requests the vendors allow in a window.
import type { EndpointFamily, Tier } from "../../schemas/token.ts";
import type { Principal } from "../keys/permission.ts";

const HOUR_MS = 3_600_000;
const QUARTER_MS = 15 * 60_000;

/** Windows begin at whole multiples of their length since the epoch: hours at the top of the UTC hour. */
export interface LimitRule {
  readonly windowMs: number;
  readonly maxRequests: number;
}

/** LogTrace's documented limits of an hour. */
const logtraceHourly = {
  standard: { ingest: 10_000, query: 2_000 },
  enterprise: { ingest: 50_000, query: 10_000 },
} as const satisfies Record<Tier, Partial<Record<EndpointFamily, number>>>;

/** The vendor names the window, not the number; this is three a second, while its clients poll once. */
const LOGENTRIES_QUARTERLY = 2_700;

/** The rule for a key's requests of a family; undefined when they are not limited. */
export function ruleOf(
  { kind, tier = "standard", limits }: Principal,
  family: EndpointFamily,
): LimitRule | undefined {
  switch (kind) {
    case "logtrace": {
      if (family === "management") return undefined;
      return {
        windowMs: HOUR_MS,
        maxRequests: limits?.[family] ?? logtraceHourly[tier][family],
      };
    }
    case "logentries-read":
    case "logentries-write":
    case "logentries-owner":
      if (family === "ingest") return undefined;
      return { windowMs: QUARTER_MS, maxRequests: limits?.[family] ?? LOGENTRIES_QUARTERLY };
    default:
      return undefined;
  }
}

// Reads numbered events back and says which are lost and which are doubled.
import { countEvents, search } from "./api.ts";
import { writeNumber, type Lane } from "./sender.ts";
import type { Endpoint } from "./service.ts";

const pageDigits = 3; // a page is the 1000 numbers that share all but their last three digits

export interface Findings {
  readonly found: number;
  readonly lost: readonly number[];
  readonly doubled: readonly number[];
  /** Numbers that were never acknowledged, and other text. */
  readonly strange: readonly string[];
}

/** Reads every event of a lane, page by page, and compares with the numbers 0 … acknowledged-1. */
export async function readBack(endpoint: Endpoint, lane: Lane): Promise<Findings> {
  const { acknowledged } = lane.statistics;
  const seen = new Map<number, number>();
  const strange: string[] = [];
  const pages = Math.ceil(acknowledged / 10 ** pageDigits);
  for (let page = 0; page < pages; page += 1) {
    const stem = writeNumber(page * 10 ** pageDigits).slice(0, -pageDigits);
    const reply = await search(endpoint, {
      regex: `lane=${lane.name} n=${stem}\\d{${pageDigits}} end`,
      type: "BACKWARD_RESULTS",
      prefix0: "kill",
      prefix1: lane.name,
      limit: 10_000,
    });
    for (const { message } of reply.events) {
      const match = new RegExp(`^lane=${lane.name} n=(\\d{7}) end$`).exec(message);
      const number = Number(match?.[1]);
      if (match === null || number >= acknowledged) strange.push(message);
      else seen.set(number, (seen.get(number) ?? 0) + 1);
    }
  }
  const numbers = Array.from({ length: acknowledged }, (_, number) => number);
  return {
    found: [...seen.values()].reduce((sum, count) => sum + count, 0),
    lost: numbers.filter((number) => !seen.has(number)),
    doubled: numbers.filter((number) => (seen.get(number) ?? 0) > 1),
    strange,
  };
}

/** The events of a lane by EXACT_COUNTS_BINNED. */
export function countLane(endpoint: Endpoint, lane: Lane): Promise<number> {
  return countEvents(endpoint, {
    regex: `lane=${lane.name} .*`,
    prefix0: "kill",
    prefix1: lane.name,
    timeBins: 64,
  });
}

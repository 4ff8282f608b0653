// Query budgets: what is charged, what comes back, and what customers owe.
import { beforeEach, expect, test } from "vitest";
import { QueryBudgets } from "../../../query/scalyr/budget.ts";
import { createInstruments, type Instruments } from "../../../schemas/instruments.ts";
import type { LogboomError } from "../../../schemas/errors.ts";

let now = 0;
let instruments: Instruments;
let budgets: QueryBudgets;

beforeEach(() => {
  now = 5_000;
  instruments = createInstruments(false);
  budgets = new QueryBudgets({ budgetMs: 30_000, instruments, now: () => now });
});

function refusalOf(customer: string, asked = budgets): LogboomError | undefined {
  try {
    asked.require(customer);
    return undefined;
  } catch (error) {
    return error as LogboomError;
  }
}

test("queries are served until the budget is spent, and then refused with what is left", async () => {
  budgets.charge("acme", 29_999);
  expect(refusalOf("acme")).toBeUndefined();
  budgets.charge("acme", 1_001);
  expect(refusalOf("acme")).toMatchObject({
    code: "RATE_LIMITED",
    // 1,000 ms at 10 ms a second
    retryAfterSeconds: 100,
    details: { limit: 30_000, remaining: -1_000, refillPerHour: 36_000 },
  });
  expect(refusalOf("other")).toBeUndefined();
  const [refused] = (await instruments.logboom_scalyr_budget_refusals_total.get()).values;
  expect(refused?.value).toBe(1);
  const [seconds] = (await instruments.logboom_scalyr_query_seconds_total.get()).values;
  expect(seconds?.value).toBe(31);
});

test("36,000 ms come back in an hour, up to the budget", () => {
  budgets.charge("acme", 31_000);
  now += 100_000;
  expect(refusalOf("acme")).toBeDefined();
  now += 1;
  expect(refusalOf("acme")).toBeUndefined();
  now += 100 * 3_600_000;
  budgets.charge("acme", 30_000);
  expect(refusalOf("acme")).toMatchObject({ retryAfterSeconds: 1 });
});

test("nobody owes more than a budget", () => {
  budgets.charge("acme", 1e9);
  expect(refusalOf("acme")).toMatchObject({ retryAfterSeconds: 3_000 });
});

test("full buckets are forgotten, the others kept", () => {
  for (let n = 0; n < 2_000; n++) budgets.charge(`customer-${n}`, n === 0 ? 60_000 : 1);
  now += 60_000;
  for (let n = 0; n < 2_000; n++) budgets.charge(`later-${n}`, 1);
  expect(refusalOf("customer-0")).toBeDefined();
});

test("a budget of 0 is none", () => {
  const unlimited = new QueryBudgets({ budgetMs: 0, instruments });
  unlimited.charge("acme", 1e9);
  expect(refusalOf("acme", unlimited)).toBeUndefined();
});

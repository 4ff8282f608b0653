// The page of consumption in a real Chromium, over a running service: figures, keyboard, phones, refusals, and where the key goes.
import { setTimeout as sleep } from "node:timers/promises";
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../consumers/store/store-fixture.ts";
import { launchChromium } from "../support/chromium.ts";
import { writeConsumption } from "../support/consumption.ts";
import { ask, createKey, untilAnswered, type VendorKey } from "../support/keys.ts";
import { startService, type Service } from "../support/service.ts";

const HOUR_MS = 3_600_000;
const HOURS = 30;
let service: Service;
let browser: Browser;
const keys: Record<string, VendorKey> = {};
const opened: Page[] = [];
/** What the pages of a test complained of. */
let complaints: string[] = [];

beforeAll(async () => {
  // The hour that runs must be the same to the end.
  const leftMs = HOUR_MS - (Date.now() % HOUR_MS);
  if (leftMs < 60_000) await sleep(leftMs + 1_000);
  service = await startService();
  browser = await launchChromium();
  for (const [name, options] of Object.entries({
    first: {},
    second: {},
    staging: { environment: "staging" },
    writer: { scope: "write:logs" },
    limited: { limit: "query=1", environment: "test" },
  })) {
    keys[name] = await createKey(service, "logtrace", options);
  }
  keys["elsewhere"] = await createKey(service, "read", { customer: "quiet" });
  for (const [name, times] of [
    ["first", 1],
    ["second", 10],
  ] as const) {
    const hours = Array.from({ length: HOURS }, (_, hoursAgo) => ({
      hoursAgo,
      ingest: times * (hoursAgo + 1),
      refused: hoursAgo === 2 ? 7 : 0,
      events: times * 100,
    }));
    await writeConsumption(
      service.dataDir,
      { tokenId: secretless(name).id, environment: "production" },
      hours,
    );
  }
  // The hours that are over are in the store when a read token sees them all.
  await waitUntil("all hours are known", async () => {
    const { data } = await consumption(service.readToken, HOURS);
    return data.length >= 2 * HOURS;
  });
});

afterEach(async () => {
  for (const page of opened.splice(0)) await page.context().close();
  const found = complaints;
  complaints = [];
  if (found.length > 0) throw new Error(`the page complained: ${found.join("; ")}`);
});

afterAll(async () => {
  await browser.close();
  await service[Symbol.asyncDispose]();
});

function secretless(name: string): VendorKey {
  const key = keys[name];
  if (key === undefined) throw new Error(`no key ${name}`);
  return key;
}

const secretOf = (name: string): string => secretless(name).secret;

interface Answer {
  readonly data: readonly { key: string; ingest: { requests: number }; events: number }[];
}

async function consumption(secret: string, hours: number): Promise<Answer> {
  const reply = await ask(`${service.url}/v1/analytics/consumption?from=-${hours - 1}h`, {
    headers: { authorization: `Bearer ${secret}` },
  });
  return reply.json as Answer;
}

/** @param refusals statuses that the console may name */
async function openPage(
  options: BrowserContextOptions = {},
  refusals: readonly string[] = [],
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  opened.push(page);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    if (!refusals.some((one) => message.text().includes(one))) complaints.push(message.text());
  });
  await page.goto(`${service.url}/v1/analytics/`);
  return page;
}

async function showConsumption(page: Page, name: string): Promise<void> {
  await page.getByLabel("API key").fill(secretOf(name));
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator("#result").waitFor();
}

const cells = (page: Page, selector = "#rows tr") =>
  page
    .locator(selector)
    .evaluateAll((lines) => lines.map((line) => [...line.children].map((one) => one.textContent)));

describe("what it shows", () => {
  test("is what the API answers: rows, this hour against the limits, and the sums of the bars", async () => {
    const page = await openPage();
    await showConsumption(page, "first");
    const rows = await cells(page);
    expect(rows).toHaveLength(48);
    const { data } = await consumption(secretOf("first"), 24);
    expect(rows.map(([, , key, ingest, , , , , events]) => [key, ingest, events])).toEqual(
      data.map(({ key, ingest, events }) => [
        `${key.slice(0, 8)}…`,
        ingest.requests.toLocaleString("en"),
        events.toLocaleString("en"),
      ]),
    );
    const meter = page.getByRole("meter", { name: "Ingest requests of this hour" });
    expect(await meter.evaluateAll((all) => all.map((one) => one.ariaValueText))).toEqual(
      expect.arrayContaining(["1 of 10,000", "10 of 10,000"]),
    );
    const slider = page.getByRole("slider", { name: "Ingest requests by hour, UTC" });
    expect(await slider.getAttribute("aria-valuetext")).toMatch(/: 11$/);
    expect(await page.locator("rect.bar").count()).toBe(24);
    await page.locator("#of-key").selectOption(secretless("second").id);
    expect(await slider.getAttribute("aria-valuetext")).toMatch(/: 10 of 10,000$/);
    expect(await cells(page)).toHaveLength(24);
    await page.locator("#figure").selectOption("Refused requests");
    await page.getByRole("slider").press("ArrowLeft");
    await page.getByRole("slider").press("ArrowLeft");
    expect(await page.locator("#readout").textContent()).toMatch(/: 7$/);
  });

  test("of a month are days, and of a week hours", async () => {
    const page = await openPage();
    await page.getByLabel("Period").selectOption("Last 7 days");
    await showConsumption(page, "first");
    expect(await page.locator("rect.bar").count()).toBe(168);
    expect(await page.locator("#status").textContent()).toMatch(/^60 rows /);
    await page.getByLabel("Period").selectOption("Last 30 days");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("slider", { name: "Ingest requests by day, UTC" }).waitFor();
    expect(await page.locator("rect.bar").count()).toBeGreaterThanOrEqual(30);
  });

  test("is nothing where nothing was consumed, and says so", async () => {
    const page = await openPage();
    await page.getByLabel("API key").fill(secretOf("elsewhere"));
    await page.getByRole("button", { name: "Show" }).click();
    await expect
      .poll(() => page.getByRole("status").first().textContent())
      .toBe("Nothing was consumed in this period.");
    expect(await page.locator("#result").isVisible()).toBe(false);
  });
});

describe("a refusal", () => {
  const refusals: readonly [string, () => string, string, RegExp][] = [
    ["of an unknown key", () => "lt_live_00000000000000000000000000000000", "401", /not good/],
    ["of a key without the scope", () => secretOf("writer"), "403", /may not see.*read:logs/],
  ];
  test.each(refusals)("%s is told in words", async (_, secret, status, words) => {
    const page = await openPage({}, [status]);
    await page.getByLabel("API key").fill(secret());
    await page.getByRole("button", { name: "Show" }).click();
    await expect.poll(() => page.getByRole("alert").textContent()).toMatch(words);
    expect(await page.locator("#result").isVisible()).toBe(false);
  });

  test("beyond the limit says when to come again, and takes away what was shown", async () => {
    const page = await openPage({}, ["429"]);
    await showConsumption(page, "limited");
    await page.getByRole("button", { name: "Show" }).click();
    await expect
      .poll(() => page.getByRole("alert").textContent())
      .toMatch(/Too many requests; ask again in \d+ (minutes|seconds)/);
    expect(await cells(page)).toEqual([]);
    await page.getByLabel("API key").fill(secretOf("staging"));
    await page.getByRole("button", { name: "Show" }).click();
    await page.locator("#result").waitFor();
    expect(await page.getByRole("alert").textContent()).toBe("");
  });

  test("of the connection is told as well", async () => {
    const page = await openPage({}, ["ERR_"]);
    await page.context().setOffline(true);
    await page.getByLabel("API key").fill(secretOf("first"));
    await page.getByRole("button", { name: "Show" }).click();
    await expect.poll(() => page.getByRole("alert").textContent()).toMatch(/cannot be reached/);
  });
});

describe("the key", () => {
  test("is sent to the API in its header, and is in no address, store or history", async () => {
    const page = await openPage();
    const requests: { url: string; headers: Record<string, string>; body: string | null }[] = [];
    page.on("request", (request) => {
      requests.push({ url: request.url(), headers: request.headers(), body: request.postData() });
    });
    await showConsumption(page, "first");
    const secret = secretOf("first");
    expect(requests).toHaveLength(1);
    for (const { url, headers, body } of requests) {
      expect(url.startsWith(`${service.url}/v1/analytics/consumption?`)).toBe(true);
      expect(url).not.toContain(secret);
      expect(body).toBeNull();
      expect(headers["authorization"]).toBe(`Bearer ${secret}`);
    }
    expect(page.url()).toBe(`${service.url}/v1/analytics/`);
    expect(await page.context().cookies()).toEqual([]);
    const kept = await page.evaluate(async () => {
      const { localStorage, sessionStorage, indexedDB, history, caches } =
        globalThis as unknown as {
          localStorage: object;
          sessionStorage: object;
          indexedDB: { databases(): Promise<object[]> };
          history: { state: unknown };
          caches: { keys(): Promise<string[]> } | undefined;
        };
      return [
        Object.keys(localStorage),
        Object.keys(sessionStorage),
        await indexedDB.databases(),
        (await caches?.keys()) ?? [],
        history.state,
      ];
    });
    expect(kept).toEqual([[], [], [], [], null]);
    expect(await page.context().storageState()).toEqual({ cookies: [], origins: [] });
    await page.reload();
    expect(await page.getByLabel("API key").inputValue()).toBe("");
    expect(service.output).not.toContain(secret);
  });

  test("is gone when it is forgotten, and when the page was left", async () => {
    const page = await openPage();
    await showConsumption(page, "first");
    await page.getByRole("button", { name: "Forget the key" }).click();
    expect(await page.getByLabel("API key").inputValue()).toBe("");
    expect(await page.locator("#result").isVisible()).toBe(false);
    expect(await page.content()).not.toContain(secretless("first").id);
    await showConsumption(page, "first");
    await page.goto("about:blank");
    await page.goBack();
    expect(await page.getByLabel("API key").inputValue()).toBe("");
    expect(await page.locator("#result").isVisible()).toBe(false);
  });
});

describe("who cannot see it or use a pointer", () => {
  test("goes through all of it by the keyboard", async () => {
    const page = await openPage();
    const focused = () =>
      page.evaluate(() => {
        const { document } = globalThis as unknown as {
          document: { activeElement: { id: string } };
        };
        return document.activeElement.id;
      });
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("key");
    await page.keyboard.insertText(secretOf("first"));
    await page.keyboard.press("Enter");
    await page.locator("#result").waitFor();
    const visited: string[] = [];
    for (let n = 0; n < 8; n++) {
      await page.keyboard.press("Tab");
      visited.push((await focused()) || "chart");
      if (visited.at(-1) === "chart") {
        await page.keyboard.press("Home");
        expect(await page.getByRole("slider").getAttribute("aria-valuenow")).toBe("0");
        await page.keyboard.press("ArrowRight");
        expect(await page.getByRole("slider").getAttribute("aria-valuenow")).toBe("1");
      }
    }
    expect(visited).toEqual([
      "period",
      "show",
      "forget",
      "figure",
      "environment",
      "of-key",
      "chart",
      "scroller",
    ]);
  });

  test.each([
    ["light", 1200],
    ["dark", 1200],
    ["light", 390],
    ["dark", 390],
  ] as const)(
    "finds no barrier that axe knows, %s and %i px wide, nor anything beyond the edge",
    async (colorScheme, width) => {
      // The checker itself puts a script into the page.
      const page = await openPage({
        colorScheme,
        viewport: { width, height: 844 },
        bypassCSP: true,
      });
      const look = async (): Promise<void> => {
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
        const widths = await page.evaluate(() => {
          const { document, innerWidth } = globalThis as unknown as {
            document: { documentElement: { scrollWidth: number } };
            innerWidth: number;
          };
          return [document.documentElement.scrollWidth, innerWidth];
        });
        expect(widths).toEqual([width, width]);
      };
      await look();
      await showConsumption(page, "first");
      await look();
    },
  );
});

test("the document is one, and its policy allows no other script, style, frame or address", async () => {
  const { headers, text } = await ask(`${service.url}/v1/analytics`);
  expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
  const policy = headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("connect-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(text).not.toMatch(/<(?:script|img|iframe)[^>]*\ssrc=|<link[^>]*href="(?!data:)|\son\w+=/);
  const page = await openPage({}, ["Content Security Policy", "TrustedHTML", "TrustedScript"]);
  const outcome = await page.evaluate(async () => {
    const { document, hasRun } = globalThis as unknown as {
      hasRun: unknown;
      document: {
        createElement(name: string): { textContent: string };
        body: { append(one: object): void; innerHTML: string };
      };
    };
    const script = document.createElement("script");
    try {
      script.textContent = "globalThis.hasRun = true";
      document.body.append(script);
    } catch {
      // Refused before it could run.
    }
    let isMarkupTaken = true;
    try {
      document.body.innerHTML = "<b>x</b>";
    } catch {
      isMarkupTaken = false;
    }
    return [hasRun, isMarkupTaken];
  });
  expect(outcome).toEqual([undefined, false]);
  expect((await ask(`${service.url}/v1/analytics`, { method: "POST" })).status).toBe(405);
});

test("a key that was just made is known to the page", async () => {
  const made = await createKey(service, "logtrace", { environment: "fresh" });
  keys["made"] = made;
  await untilAnswered(() =>
    ask(`${service.url}/v1/analytics/consumption`, {
      headers: { authorization: `Bearer ${made.secret}` },
    }),
  );
  const page = await openPage();
  await showConsumption(page, "made");
  expect(await page.getByRole("meter", { name: "Queries of this hour" }).count()).toBe(1);
});

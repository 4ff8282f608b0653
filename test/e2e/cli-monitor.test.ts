// `logboom monitor` beside a running service, with a real resource to look at and real receivers.
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ingest, toNdjson, waitForCount } from "../support/api.ts";
import { runCli, startService, type Service } from "../support/service.ts";

let service: Service;
/** Seconds are croner's addition. */
const everySecond = ["--schedule", "* * * * * *"];
const secret = "a-secret-that-must-not-show";

beforeAll(async () => {
  service = await startService();
  const time = (minutes: number) => String(BigInt(Date.now() - minutes * 60_000) * 1_000_000n);
  await ingest(
    service,
    toNdjson([
      { time: time(60), prefix0: "web", message: "ERROR an hour ago" },
      { time: time(3), prefix0: "web", message: "ERROR one" },
      { time: time(2), prefix0: "web", message: "ERROR two" },
      { time: time(1), prefix0: "db", message: "ERROR three" },
    ]),
  );
  await waitForCount(service, { regex: ".*" }, 4);
});

afterAll(() => service[Symbol.asyncDispose]());

function monitor(args: readonly string[], env: Record<string, string> = {}) {
  const own = { L24_READ_TOKEN: service.readToken, L24_CUSTOMER: "acme", SECRET: secret };
  return runCli(service.dataDir, ["monitor", ...args], { ...own, ...env });
}

const query = (...args: string[]) => ["query", ...args, "--api", service.url];
const once1 = [...everySecond, "-r", "1"];

async function listen(answer: RequestListener) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

interface Received {
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Keeps what is posted; answers with the statuses in turn, the last one again and again. */
async function startReceiver(...statuses: number[]) {
  const received: Received[] = [];
  const server = await listen((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (piece: string) => (body += piece));
    request.on("end", () => {
      const status = statuses[Math.min(received.length, statuses.length - 1)] ?? 200;
      received.push({ url: request.url, headers: request.headers, body });
      response.writeHead(status).end();
    });
  });
  return { ...server, received };
}

describe("count", () => {
  test("of events in the last 15 minutes is told to the console when it holds, again by schedule", async () => {
    const { code, stdout, stderr } = await monitor([
      ...everySecond,
      "-r",
      "2",
      "--jitter",
      "10",
      "--title",
      "errors",
      ...query(".*ERROR.*", "env://L24_READ_TOKEN", "--prefix", "0", "web"),
      "count",
      "lines",
      ">",
      "1",
      "notify",
      "console",
      "--json",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const notices = stdout.trimEnd().split("\n");
    expect(notices).toHaveLength(2);
    const times = notices.map((line) => {
      const { time, ...notice } = JSON.parse(line) as Record<string, string>;
      expect(notice).toEqual({
        title: "errors",
        source: "query .*ERROR.*",
        matcher: "count lines > 1",
        outcome: "success",
        result: "2 lines",
      });
      return time;
    });
    expect(new Set(times).size).toBe(2);
  });

  test("that does not hold is posted to a webhook, repeated until it is taken", async () => {
    await using hook = await startReceiver(500, 204);
    const { code, stdout, stderr } = await monitor(
      [
        ...once1,
        ...query(".*ERROR.*", "--from", "now - 2h"),
        "count",
        "lines",
        "<=",
        "3",
        "notify",
        "webhook",
        "env://HOOK",
        "--header",
        "Authorization: env://SECRET",
        "--header",
        "X-Plain: a b",
      ],
      { HOOK: `${hook.url}/path?key=${secret}` },
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe("logboom: 1 of 1 runs failed\n");
    expect(hook.received).toHaveLength(2);
    const [, last] = hook.received;
    expect(last?.url).toBe(`/path?key=${secret}`);
    expect(last?.headers).toMatchObject({
      authorization: secret,
      "x-plain": "a b",
      "content-type": "application/json",
    });
    expect(JSON.parse(last?.body ?? "")).toMatchObject({
      title: "logboom monitor",
      matcher: "count lines <= 3",
      outcome: "failure",
      result: "4 lines",
    });
  });

  test("of bytes is of the messages with their line ends", async () => {
    const args = [...query("ERROR (one|two)"), "count", "bytes", "=", "20", "notify", "console"];
    const { stdout } = await monitor([...once1, ...args]);
    expect(stdout).toContain(
      "logboom monitor: 20 bytes (query ERROR (one|two), count bytes = 20)\n",
    );
  });

  test("of a resource is 1 as a whole, and its lines when they are split", async () => {
    await using site = await listen((request, response) => {
      const isExpected = request.method === "PUT" && request.headers["x-key"] === secret;
      response.writeHead(isExpected ? 200 : 404).end("one\ntwo\nthree\n");
    });
    const source = ["http", `${site.url}/health?key=x`, "--method", "put"];
    const header = ["--header", "X-Key: env://SECRET"];
    const three = ["count", "lines", "=", "3", "notify", "console"];
    const split = await monitor([...once1, ...source, ...header, "--split-lines", ...three]);
    expect(split).toMatchObject({ code: 0, stderr: "" });
    expect(split.stdout).toContain(`3 lines (http ${site.url}/health, `);
    const whole = await monitor([...once1, ...source, ...header, ...three]);
    expect(whole).toMatchObject({ code: 1, stdout: "" });
    const refused = await monitor([...once1, ...source, ...three]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`${site.url}/health answered 404`);
  });
});

test("a source that cannot be read is a failure, and Pushover hears of it", async () => {
  await using pushover = await startReceiver(200);
  const { code, stderr } = await monitor([
    ...once1,
    "query",
    ".*",
    "--api",
    `${pushover.url}/nothing`,
    "count",
    "lines",
    ">=",
    "0",
    "notify",
    "pushover",
    "--po-api-token",
    "env://SECRET",
    "--po-user-key",
    "the-user",
    "--priority",
    "2",
    "--po-url",
    `${pushover.url}/1/messages.json`,
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain("no search API");
  const messages = pushover.received.filter(({ url }) => url === "/1/messages.json");
  expect(messages).toHaveLength(1);
  const form = Object.fromEntries(new URLSearchParams(messages[0]?.body));
  expect(form).toMatchObject({
    token: secret,
    user: "the-user",
    priority: "2",
    retry: "60",
    expire: "3600",
    title: "logboom monitor",
    message: expect.stringContaining("no search API") as string,
  });
});

test("a webhook that takes nothing is told of, without its address", async () => {
  await using hook = await startReceiver(404);
  const url = `${hook.url}/${secret}`;
  const args = [...query("nothing"), "count", "lines", "!=", "0", "notify", "webhook", url];
  const { code, stderr } = await monitor([...once1, ...args]);
  expect(code).toBe(1);
  expect(stderr).toContain("the webhook could not be told, 3 times: it answered 404");
  expect(stderr).not.toContain(secret);
  expect(hook.received).toHaveLength(3);
});

describe("changed", () => {
  test("tells what is new since the run before, also over a restart by its state file", async () => {
    let version = 1;
    await using site = await listen((_, response) => response.end(`same\nversion ${version}\n`));
    const state = join(service.dataDir, "state");
    const look = () =>
      monitor([
        ...once1,
        "http",
        site.url,
        "changed",
        "--show-diff",
        "--state-file",
        state,
        "notify",
        "console",
      ]);
    expect(await look()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readFileSync(state, "utf8")).toBe("same\nversion 1\n");
    expect(statSync(state).mode & 0o777).toBe(0o600);
    expect(existsSync(`${state}.next`)).toBe(false);
    expect(await look()).toMatchObject({ code: 1, stdout: "" });
    version = 2;
    const { code, stdout } = await look();
    expect(code).toBe(0);
    expect(stdout).toContain("logboom monitor: changed (http ");
    expect(stdout).toContain("@@ -1,2 +1,2 @@\n same\n-version 1\n+version 2\n");
  });

  test("compares the events of a search, oldest first, and shows them", async () => {
    const state = join(service.dataDir, "state of a search");
    const look = () =>
      monitor([
        ...once1,
        ...query("ERROR .*", "--prefix", "0", "live"),
        "changed",
        "--show-content",
        "--state-file",
        state,
        "notify",
        "console",
        "--json",
      ]);
    for (const number of [1, 2]) {
      await ingest(service, toNdjson([{ prefix0: "live", message: `ERROR ${number}` }]));
      await waitForCount(service, { regex: ".*", prefix0: "live" }, number);
      const { code, stdout } = await look();
      expect(code).toBe(0);
      if (number === 1) expect(stdout).toBe("");
      else expect(JSON.parse(stdout)).toMatchObject({ content: "ERROR 1\nERROR 2\n" });
    }
  });
});

describe("a wrong call ends with 2, before anything is asked:", () => {
  const count = ["count", "lines", ">", "0"];
  const source = ["query", ".*"];
  const console_ = ["notify", "console"];
  test.each([
    ["no source", [], "query or http"],
    ["no matcher", [...source, ...console_], "count or changed"],
    ["no notifier", [...source, ...count], "notify"],
    ["a schedule that is none", ["--schedule", "often", ...source, ...count, ...console_], "cron"],
    ["a comparison that is none", [...source, "count", "lines", "~", "0", ...console_], "one of"],
    ["a unit that is none", [...source, "count", "words", "=", "0", ...console_], "lines or bytes"],
    ["an unknown notifier", [...source, ...count, "notify", "mail"], "console, webhook or"],
    [
      "another notifier's option",
      [...source, ...count, ...console_, "--header", "a: b"],
      "--header",
    ],
    ["a time that is none", [...source, "--from", "soon", ...count, ...console_], "--from"],
    [
      "a header that is none",
      ["http", "http://x", "--header", "secret", ...count, ...console_],
      "Name",
    ],
    ["no URL", ["http", "ftp://x", ...count, ...console_], "http:"],
    ["Pushover without keys", [...source, ...count, "notify", "pushover"], "--po-api-token"],
  ])("%s", async (_, args, said) => {
    const { code, stdout, stderr } = await monitor(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.split("\n")[0]).toContain(said);
  });
});

// `logboom import` as a person calls it, beside a running service.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { search, toNdjson, waitForCount, type SearchParameters } from "../support/api.ts";
import { runCli, startService, type Service } from "../support/service.ts";

let service: Service;

beforeAll(async () => {
  service = await startService({ env: { LOGBOOM_MAX_EVENT_BYTES: "2000" } });
});

afterAll(() => service[Symbol.asyncDispose]());

function importAll(args: readonly string[], input?: string | Buffer, api = service.url) {
  const env = { L24_WRITE_TOKEN: service.writeToken };
  return runCli(service.dataDir, ["import", "--api", api, ...args], env, input);
}

function makeFile(name: string, content: string | Buffer): string {
  const path = join(service.dataDir, name);
  writeFileSync(path, content);
  return path;
}

async function messages(parameters: Omit<SearchParameters, "regex">): Promise<string[]> {
  const all = { regex: ".*", type: "BACKWARD_RESULTS", limit: 10_000, ...parameters } as const;
  const { events } = await search(service, all);
  return events.map(({ message }) => message).toReversed();
}

test("files of text are stored line by line with their labels, the last line without its end too", async () => {
  const many = Array.from({ length: 25_000 }, (_, number) => `line ${number}`);
  const first = makeFile("first.log", `${many.join("\n")}\n`);
  const second = makeFile("second.log", "a windows line\r\n\nafter an empty one");
  const result = await importAll([first, second, "--prefix", "0", "files", "--prefix1", "p"]);
  expect(result).toEqual({ code: 0, stdout: "25003 events stored\n", stderr: "" });
  await waitForCount(service, { regex: ".*", prefix0: "files", prefix1: "p" }, 25_003);
  await waitForCount(service, { regex: "line \\d+", prefix0: "files" }, 25_000);
  for (const regex of ["line 0", "line 24999", "a windows line", "", "after an empty one"]) {
    await waitForCount(service, { regex, prefix0: "files" }, 1);
  }
});

test("stdin is read when no file is named, bytes that are no UTF-8 included", async () => {
  const input = Buffer.from("caf\xe9\nna\xc3\xafve\n", "latin1");
  expect(await importAll(["--prefix", "0", "stdin"], input)).toMatchObject({
    code: 0,
    stdout: "2 events stored\n",
  });
  await waitForCount(service, { regex: ".*", prefix0: "stdin" }, 2);
  expect((await messages({ prefix0: "stdin" })).toSorted()).toEqual(["caf\ufffd", "naïve"]);
});

test("each refused line is named, all others are stored, and the call fails", async () => {
  const event = (number: number, more: object = {}) => ({
    time: `2024-01-15T07:00:${String(number).padStart(2, "0")}Z`,
    prefix0: "json",
    message: `event ${number}`,
    ...more,
  });
  const lines = [
    ...Array.from({ length: 10 }, (_, number) => JSON.stringify(event(number))),
    "{ this is no JSON",
    "",
    JSON.stringify(event(10)),
    JSON.stringify(event(11, { message: "x".repeat(2001) })),
    JSON.stringify(event(12, { color: "red" })),
    JSON.stringify(event(13, { time: "soon" })),
    JSON.stringify(event(14)),
  ];
  const path = makeFile("events.ndjson", lines.join("\n"));
  const { code, stdout, stderr } = await importAll(["--format", "ndjson", path]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "12 events stored\n" });
  const told = stderr.trimEnd().split("\n");
  for (const [index, number] of [11, 14, 15, 16].entries()) {
    expect(told[index]).toContain(`logboom: ${path}:${number}: the service answered 4`);
  }
  expect(told.slice(4)).toEqual(["logboom: 4 lines were refused"]);
  await waitForCount(service, { regex: ".*", prefix0: "json" }, 12);
  const expected = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14].map((number) => `event ${number}`);
  expect(await messages({ prefix0: "json" })).toEqual(expected);
});

test("a file whose every line is refused takes small requests, and is told of in few lines", async () => {
  const path = makeFile("bad.ndjson", "no JSON\n".repeat(500));
  const { code, stdout, stderr } = await importAll(["--format", "ndjson", path]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "0 events stored\n" });
  expect(stderr.split("\n").filter((line) => line.includes("bad.ndjson:"))).toHaveLength(20);
  expect(stderr).toContain("500 lines were refused");
});

test("an import of what query printed as JSON gives the same events", async () => {
  const events = [1, 2, 3].map((number) => ({
    time: `2024-02-01T00:00:00.${number}Z`,
    prefix0: "round",
    prefix1: "trip",
    message: `"${number}"\nand\ttab`,
  }));
  await importAll(["--format", "ndjson"], toNdjson(events));
  await waitForCount(service, { regex: ".*", prefix0: "round" }, 3);
  const call = ["query", "--api", service.url, "--customer", "acme", ".*", service.readToken];
  const printed = await runCli(service.dataDir, [...call, "--prefix", "0", "round", "--json"]);
  expect((await importAll(["--format", "ndjson"], printed.stdout)).stdout).toContain("3 events");
  await waitForCount(service, { regex: ".*", prefix0: "round", prefix1: "trip" }, 6);
  const found = await messages({ prefix0: "round" });
  expect(found).toEqual(events.flatMap(({ message }) => [message, message]));
});

test("a file that is not there fails the call, and the others are stored", async () => {
  const path = makeFile("there.log", "there\n");
  const { code, stdout, stderr } = await importAll(["/no/such/file", path]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "1 events stored\n" });
  expect(stderr).toContain("cannot read /no/such/file: ENOENT");
});

test("a token that is refused is told of once, and not shown", async () => {
  const { code, stdout, stderr } = await importAll(["-t", "not-a-good-token"], "a line\n");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "0 events stored\n" });
  expect(stderr).toMatch(/^logboom: the service answered 401: .*\n$/);
  expect(stderr).not.toContain("not-a-good-token");
});

test("a busy service gets the same request again, when it said", async () => {
  const seen: { key: unknown; body: string }[] = [];
  const busy = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (piece: string) => (body += piece));
    request.on("end", () => {
      seen.push({ key: request.headers["idempotency-key"], body });
      if (seen.length === 1) response.writeHead(429, { "retry-after": "1" }).end("{}");
      else if (seen.length === 2) response.destroy();
      else if (seen.length === 3) response.writeHead(503).end("not JSON");
      else response.writeHead(202).end(JSON.stringify({ accepted: 2 }));
    });
  }).listen(0, "127.0.0.1");
  await once(busy, "listening");
  const { port } = busy.address() as AddressInfo;
  const result = await importAll([], "one\ntwo\n", `http://127.0.0.1:${port}`);
  busy.close();
  expect(result).toMatchObject({ code: 0, stdout: "2 events stored\n" });
  expect(seen).toHaveLength(4);
  expect(new Set(seen.map(({ key }) => key)).size).toBe(1);
  expect(new Set(seen.map(({ body }) => body))).toEqual(new Set(["one\ntwo\n"]));
});

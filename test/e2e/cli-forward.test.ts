// `logboom forward tail FILE` as an agent beside a service that is killed, and files that are rotated.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { countEvents, search, waitForCount } from "../support/api.ts";
import { readResidentBytes, signalIfAlive } from "../support/processes.ts";
import { startService, type Service } from "../support/service.ts";

const mebibyte = 1024 * 1024;
let service: Service;
let dir: string;
let label: string;
let labelNumber = 0;

beforeAll(async () => {
  service = await startService();
  dir = mkdtempSync(join(tmpdir(), "logboom-forward-"));
});

beforeEach(() => {
  label = `forward-${++labelNumber}-`;
});

afterAll(async () => {
  rmSync(dir, { recursive: true });
  await service[Symbol.asyncDispose]();
});

/** A forwarder that is killed with the test. */
class Forwarder implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  stderr = "";

  constructor(path: string, options: { api?: string; args?: readonly string[] } = {}) {
    const { api = service.url, args = ["--from-start"] } = options;
    this.#child = spawn(
      join("node_modules/.bin/node"),
      ["query/cli.ts", "forward", "-t", "env://FORWARD_TOKEN", "--api", api, "--prefix", "0", label]
        .concat(args)
        .concat(["tail", path]),
      {
        env: { ...process.env, FORWARD_TOKEN: service.writeToken },
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.#exit = once(this.#child, "close").then(([code]) => code as number | null);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#child.kill(signal);
    return this.#exit;
  }

  /** Its end without a signal. */
  async end(): Promise<number | null> {
    return this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    signalIfAlive(this.pid, "SIGKILL");
    await this.#exit;
  }
}

const numbered = (first: number, count: number): string =>
  Array.from({ length: count }, (_, index) => `n=${first + index}\n`).join("");

const stored = (expected: number) =>
  waitForCount(service, { regex: ".*", prefix0: label }, expected);

async function messages(): Promise<string[]> {
  const all = { regex: ".*", type: "BACKWARD_RESULTS", limit: 10_000, prefix0: label } as const;
  const { events } = await search(service, all);
  return events.map(({ message }) => message).toReversed();
}

test("a file is awaited, followed over rotation and truncation, and each line is stored once", async () => {
  const path = join(dir, "rotated.log");
  await using forwarder = new Forwarder(path);
  await expect.poll(() => forwarder.stderr, { timeout: 30_000 }).toContain("waiting for");
  writeFileSync(path, numbered(0, 100));
  await stored(100);
  // What comes between the new name and the new file, and what its writer still has to say.
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, numbered(100, 100));
  writeFileSync(path, numbered(200, 100));
  appendFileSync(`${path}.1`, "n=300 without an end");
  await stored(301);
  appendFileSync(path, "begun, ");
  await sleep(600);
  appendFileSync(path, "ended\n");
  await stored(302);
  truncateSync(path);
  await sleep(600);
  appendFileSync(path, numbered(400, 50));
  await stored(352);
  appendFileSync(path, "the last words");
  await sleep(600);
  expect(await forwarder.stop()).toBe(0);
  await stored(353);
  const expected = [
    ...numbered(0, 300).trimEnd().split("\n"),
    "n=300 without an end",
    "begun, ended",
    ...numbered(400, 50).trimEnd().split("\n"),
    "the last words",
  ];
  expect((await messages()).toSorted()).toEqual(expected.toSorted());
});

test("by default what the file holds already is not sent; bytes that are no UTF-8 and long lines are", async () => {
  const path = join(dir, "bytes.log");
  writeFileSync(path, "before\n");
  await using forwarder = new Forwarder(path, { args: ["--max-line", "1000"] });
  // It is at the end of the file when a line of a later time comes through.
  const probing = setInterval(() => appendFileSync(path, "probe\n"), 200);
  await expect
    .poll(() => countEvents(service, { regex: "probe", prefix0: label }), { timeout: 30_000 })
    .toBeGreaterThan(0);
  clearInterval(probing);
  appendFileSync(path, Buffer.from("caf\xe9\r\n", "latin1"));
  appendFileSync(path, `${"x".repeat(300_000)}\nafter it\n`);
  await waitForCount(service, { regex: "after it", prefix0: label }, 1);
  expect(await forwarder.stop("SIGINT")).toBe(0);
  const others = (await messages()).filter((message) => message !== "probe");
  expect(others).toEqual(["caf\ufffd", "x".repeat(1000), "after it"]);
  expect(forwarder.stderr).toContain("a line is cut to 1000 bytes; it had 299000 more");
  expect(forwarder.stderr).not.toContain(service.writeToken);
});

test("a service that is killed under load has each line once when it is back, over rotations too", async () => {
  const path = join(dir, "killed.log");
  writeFileSync(path, "");
  await using forwarder = new Forwarder(path);
  let written = 0;
  const write = (): void => {
    appendFileSync(path, numbered(written, 50));
    written += 50;
  };
  const writing = setInterval(write, 5);
  try {
    // A file that comes and goes before the forwarder has begun is nobody's.
    await expect
      .poll(() => countEvents(service, { regex: ".*", prefix0: label }), { timeout: 30_000 })
      .toBeGreaterThan(0);
    for (let round = 0; round < 3; round++) {
      const before = written;
      while (written < before + 5_000) await sleep(20);
      await service.killAll();
      // Twice: a file that had the name only while nobody took its lines is not forgotten.
      for (let rotation = 0; rotation < 2; rotation++) {
        renameSync(path, `${path}.1`);
        await sleep(1_500);
      }
      await service.start();
    }
  } finally {
    clearInterval(writing);
  }
  await stored(written);
  expect(await forwarder.stop()).toBe(0);
  expect(forwarder.stderr).toContain("trying again");
  console.log(`${written} lines over three kills and six rotations`);
  // None twice in the place of another.
  const width = 10_000;
  for (let first = 0; first < written; first += width) {
    const stem = first === 0 ? "\\d{1,4}" : `${first / width}\\d{4}`;
    const count = Math.min(width, written - first);
    const { events } = await search(service, {
      regex: `n=${stem}`,
      prefix0: label,
      limit: 10_000,
    });
    expect(new Set(events.map(({ message }) => message)).size).toBe(count);
  }
});

test("while nobody takes its lines it reads no further, and says at its end what is missing", async () => {
  const busy = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(503, { "retry-after": "1" }).end());
  }).listen(0, "127.0.0.1");
  await once(busy, "listening");
  const { port } = busy.address() as AddressInfo;
  const path = join(dir, "large.log");
  for (let part = 0; part < 16; part++) appendFileSync(path, `${"y".repeat(99)}\n`.repeat(160_000));
  await using forwarder = new Forwarder(path, { api: `http://127.0.0.1:${port}` });
  await expect.poll(() => forwarder.stderr, { timeout: 30_000 }).toContain("trying again");
  await sleep(1_500);
  // The file has 244 MiB.
  const resident = readResidentBytes(forwarder.pid);
  console.log(`${Math.round(resident / mebibyte)} MiB resident`);
  expect(resident).toBeLessThan(200 * mebibyte);
  expect(await forwarder.stop()).toBe(1);
  busy.close();
  expect(forwarder.stderr).toMatch(/stopped before the service took the last \d+ lines/);
});

test("a token that is refused ends it", async () => {
  const path = join(dir, "refused.log");
  writeFileSync(path, "a line\n");
  await using forwarder = new Forwarder(path, { args: ["--from-start", "-t", "no-good-token"] });
  expect(await forwarder.end()).toBe(1);
  expect(forwarder.stderr).toContain("answered 401");
  expect(forwarder.stderr).not.toContain("no-good-token");
});

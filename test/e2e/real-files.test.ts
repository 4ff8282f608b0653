// Log files sent by curl, as a newcomer would, are searchable through all five types at once.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { countEvents, search, waitForCount, type SearchParameters } from "../support/api.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "logboom-files-"));

/** Lines as the usual programs write them; deterministic, so that a failure repeats. */
const generated: readonly (readonly [string, number, (n: number) => string])[] = [
  [
    "syslog.log",
    5000,
    (n) =>
      `Nov 21 09:${two(n / 60)}:${two(n)} host sshd[${1000 + (n % 7)}]: ` +
      (n % 11 === 0
        ? `error: Failed password for user${n % 13}`
        : `Accepted key for user${n % 13}`),
  ],
  [
    "access.log",
    20_000,
    (n) =>
      `10.0.0.${n % 250} - - [21/Nov/2026:09:${two(n / 60)}:${two(n)} +0000] ` +
      `"GET /item/${n % 97} HTTP/1.1" ${[200, 200, 200, 404, 500][n % 5]} ${(n * 37) % 5000} "-" "é"`,
  ],
  [
    "java.log",
    900,
    (n) =>
      n % 3 === 0
        ? `2026-11-21T09:00:${two(n)} ERROR failed\r`
        : n % 3 === 1
          ? `\tat com.example.Main.run(Main.java:${n})`
          : "",
  ],
];

function two(n: number): string {
  return String(Math.floor(n) % 60).padStart(2, "0");
}

function writeGenerated(): string[] {
  return generated.map(([name, lines, line]) => {
    const path = join(folder, name);
    const text = Array.from({ length: lines }, (_, index) => `${line(index)}\n`).join("");
    writeFileSync(path, text);
    return path;
  });
}

/** Files of this machine, where it has some: they hold what nobody thought of. */
function findMachineFiles(): string[] {
  const found: string[] = [];
  try {
    for (const entry of readdirSync("/var/log", { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !path.endsWith(".log")) continue;
      const { size } = statSync(path);
      if (size > 0 && size < 8 * 1024 * 1024) found.push(path);
    }
  } catch {
    // not every machine lets us look there; the generated files are always sent
  }
  return found.slice(0, 8);
}

/** The file as bytes, once: machine files may grow while we look. */
const files = [...writeGenerated(), ...findMachineFiles()].map((path, index) => {
  const bytes = readFileSync(path);
  const copy = join(folder, `${index}-${basename(path)}`);
  writeFileSync(copy, bytes);
  const lines = bytes.toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return { path, copy, prefix1: copy, lines: lines.map((line) => line.replace(/\r$/, "")) };
});

let service: Service;

beforeAll(async () => {
  service = await startService();
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function curl(file: (typeof files)[number], ...extra: string[]): Promise<unknown> {
  const url = `${service.url}/api/ingest/v1?prefix0=this-host&prefix1=${encodeURIComponent(file.prefix1)}`;
  const { stdout } = await run("curl", [
    "--silent",
    "--show-error",
    "--fail-with-body",
    "--header",
    `Authorization: Token ${service.writeToken}`,
    "--header",
    "Content-Type: text/plain",
    ...extra,
    "--data-binary",
    `@${file.copy}`,
    url,
  ]);
  return JSON.parse(stdout);
}

describe.for(files)("$path", (file) => {
  const { lines, prefix1 } = file;
  const here = { prefix0: "this-host", prefix1 } satisfies Partial<SearchParameters>;

  test("is searchable with the right answers through all five types", async () => {
    const reply = await curl(file);
    expect(reply).toMatchObject({ accepted: lines.length });
    const seconds = await waitForCount(service, { regex: ".*", ...here }, lines.length);
    console.log(`${file.path}: ${lines.length} lines searchable ${seconds.toFixed(2)} s after`);

    const hasError = (line: string): boolean => /error|fail/i.test(line);
    const regex = ".*([Ee][Rr][Rr][Oo][Rr]|[Ff][Aa][Ii][Ll]).*";
    expect(await countEvents(service, { regex, ...here })).toBe(lines.filter(hasError).length);

    const newest = await search(service, {
      regex: ".*",
      type: "BACKWARD_RESULTS",
      limit: 10_000,
      ...here,
    });
    expect(newest.events.map(({ message }) => message)).toEqual(
      lines.toReversed().slice(0, 10_000),
    );

    const digits = lines.filter((line) => /^\D*\d/.test(line));
    const some = await search(service, { regex: "\\D*\\d.*", limit: 10, ...here });
    expect(some.events).toHaveLength(Math.min(10, digits.length));
    for (const { message } of some.events) expect(digits).toContain(message);

    const histogram = await search(service, {
      regex: ".*[^\\d+\\-](?<y>\\d{1,15})[^\\d].*",
      type: "EXACT_XY_HISTOGRAM_BINNED",
      ySplits: "10,100,1000",
      ...here,
    });
    expect(histogram.counts).toEqual(countBuckets(lines));

    const perKey = await search(service, {
      regex: "(?<key>(?txt([!-~]+))).*",
      type: "BACKWARD_RESULTS_ONE_PER_KEY31",
      limit: 10_000,
      ...here,
    });
    expect(perKey.events.map(({ key, message }) => [key, message])).toEqual(newestPerWord(lines));
  });
});

/** Events by their first number between other characters: under 10, 100, 1000, and the rest. */
function countBuckets(lines: readonly string[]): number[] {
  const counts = [0, 0, 0, 0];
  for (const line of lines) {
    const match = /[^\d+-](\d{1,15})[^\d]/.exec(line);
    if (match === null) continue;
    const bucket = [10, 100, 1000].filter((split) => split <= Number(match[1])).length;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return counts;
}

/** The last line for each first word, cut to 31 bytes; the last line of all first. */
function newestPerWord(lines: readonly string[]): [string, string][] {
  const found = new Map<string, string>();
  for (const line of lines.toReversed()) {
    const word = /^[!-~]+/.exec(line)?.[0].slice(0, 31);
    if (word !== undefined && !found.has(word)) found.set(word, line);
  }
  return [...found];
}

test("a file sent again with the same idempotency key is stored once", async () => {
  const [file] = files;
  if (file === undefined) throw new Error("no file");
  const again = { ...file, prefix1: "sent-twice" };
  const header = ["--header", "Idempotency-Key: the file"];
  expect(await curl(again, ...header)).toEqual({ accepted: file.lines.length });
  expect(await curl(again, ...header)).toEqual({ accepted: file.lines.length, duplicate: true });
  await waitForCount(service, { regex: ".*", prefix1: "sent-twice" }, file.lines.length);
});

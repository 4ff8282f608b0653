// How a process of any stage ends when it cannot begin: with a code for its supervisor and a line for a person.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "logboom-process-"));
afterAll(() => rmSync(dir, { recursive: true }));

function run(main: string, env: Readonly<Record<string, string>>) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main], {
    cwd: root,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], LOGBOOM_PORT: "0", LOGBOOM_DATA_DIR: dir, ...env },
  });
  return {
    status,
    stdout,
    lines: stderr.split("\n").filter((line) => line.startsWith("logboom: ")),
  };
}

const nowhere = { LOGBOOM_CLICKHOUSE_URL: "http://127.0.0.1:1" };

test.each(["ingest/main.ts", "consumers/main.ts", "query/main.ts", "query/standalone.ts"])(
  "%s names every fault of its environment and ends with 2",
  (main) => {
    const { status, lines } = run(main, { LOGBOOM_PORT: "x", LOGBOOM_LOG_LEVEL: "loud" });
    expect(lines.map((line) => line.split(/[ :"]+/)[1])).toEqual([
      "LOGBOOM_PORT",
      "LOGBOOM_LOG_LEVEL",
    ]);
    expect(status).toBe(2);
  },
);

test.each([
  ["ingest/main.ts", {}, "LOGBOOM_KAFKA_BROKERS"],
  ["consumers/main.ts", {}, "LOGBOOM_CLICKHOUSE_URL"],
  ["query/main.ts", {}, "LOGBOOM_CLICKHOUSE_URL"],
  ["consumers/main.ts", nowhere, "LOGBOOM_KAFKA_BROKERS"],
  ["query/main.ts", nowhere, "LOGBOOM_KAFKA_BROKERS"],
] as const)(
  "%s of one stage does not begin on what only one process can have: %j",
  (main, env, name) => {
    const { status, lines } = run(main, env);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`${name}: must be given`);
    expect(status).toBe(2);
  },
);

test("several servers without a cluster are a fault", () => {
  const url = "http://127.0.0.1:1,http://127.0.0.1:2";
  const { status, lines } = run("query/standalone.ts", { LOGBOOM_CLICKHOUSE_URL: url });
  expect(lines[0]).toContain("2 servers need LOGBOOM_CLICKHOUSE_CLUSTER");
  expect(status).toBe(2);
});

test.each([
  ["LOGBOOM_KAFKA_CA_FILE", { LOGBOOM_KAFKA_TLS: "on", LOGBOOM_KAFKA_CA_FILE: "/no/such" }],
  [
    "LOGBOOM_KAFKA_PASSWORD",
    { LOGBOOM_KAFKA_SASL: "plain:logboom", LOGBOOM_KAFKA_PASSWORD: "file:/no/such" },
  ],
])("a file that %s names and is not there is a fault", (name, env) => {
  const { status, lines } = run("ingest/main.ts", { LOGBOOM_KAFKA_BROKERS: "127.0.0.1:1", ...env });
  expect(lines).toEqual([`logboom: ${name} "/no/such": cannot be read (ENOENT)`]);
  expect(status).toBe(2);
});

test("a server that is not there ends the start with 1, for a supervisor to try again", () => {
  const { status, stdout } = run("query/standalone.ts", {
    ...nowhere,
    LOGBOOM_RETENTION_DAY: "7",
  });
  expect(stdout).toContain('"variables":["LOGBOOM_RETENTION_DAY"]');
  expect(stdout).toContain("ECONNREFUSED");
  expect(stdout).toContain('"msg":"cannot start"');
  expect(status).toBe(1);
  // It did not fall back to a store of its own.
  expect(readdirSync(dir)).not.toContain("store");
});

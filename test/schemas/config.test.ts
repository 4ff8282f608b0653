// The environment: what it may say, its defaults, and how all its faults are told at once.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  ConfigError,
  environment,
  readConfig,
  unknownVariables,
  type Config,
} from "../../schemas/config.ts";

/** The faults of an environment that has some. */
function faultsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  throw new Error("the environment was taken");
}

const names = Object.keys(environment) as (keyof Config)[];

describe("an environment without variables", () => {
  test("serves loopback, keeps 30 days, and needs no token", () => {
    expect(readConfig({})).toMatchObject({
      LOGBOOM_HOST: "127.0.0.1",
      LOGBOOM_PORT: 7024,
      LOGBOOM_DATA_DIR: "./data",
      LOGBOOM_CUSTOMER: "default",
      LOGBOOM_RETENTION_DAYS: 30,
      LOGBOOM_MAX_EVENT_BYTES: 1_048_576,
    });
    expect(readConfig({}).LOGBOOM_WRITE_TOKEN).toBeUndefined();
    expect(readConfig({}).LOGBOOM_READ_TOKEN).toBeUndefined();
  });

  test("has as many cores as the process may use for searches", () => {
    expect(readConfig({}).LOGBOOM_SEARCH_CONCURRENCY).toBeGreaterThan(0);
  });

  test("has a secret for nothing", () => {
    const secrets = names.filter((name) => /_(TOKEN|KEY)$/.test(name));
    expect(secrets).toHaveLength(5);
    for (const name of secrets) expect(readConfig({})[name]).toBeUndefined();
  });
});

test("trusted proxies are addresses, networks and names of networks", () => {
  const read = (text: string) =>
    readConfig({ LOGBOOM_TRUSTED_PROXIES: text }).LOGBOOM_TRUSTED_PROXIES;
  expect(read("loopback, 10.1.2.0/24,fd00::/8,192.0.2.7")).toEqual([
    "loopback",
    "10.1.2.0/24",
    "fd00::/8",
    "192.0.2.7",
  ]);
});

describe("a variable", () => {
  test("that is empty counts as absent", () => {
    const empty = Object.fromEntries(names.map((name) => [name, ""]));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  test("that we do not know changes nothing, and is told when its name looks like ours", () => {
    const env = { LOGBOOM_RETENTION_DAY: "7", LOGBOOM_HOST_FILE: "/x", PATH: "/bin", HOME: "" };
    expect(readConfig(env)).toEqual(readConfig({}));
    expect(unknownVariables(env)).toEqual(["LOGBOOM_RETENTION_DAY", "LOGBOOM_HOST_FILE"]);
    const known = Object.fromEntries([...names, "LOGBOOM_READ_TOKEN_FILE"].map((n) => [n, "x"]));
    expect(unknownVariables(known)).toEqual([]);
  });

  test.each([
    ["LOGBOOM_PORT", "0", 0],
    ["LOGBOOM_PORT", "65535", 65_535],
    ["LOGBOOM_LOG_MAX_BYTES", "16777216", 16_777_216],
    ["LOGBOOM_BATCH_BYTES", "65536", 65_536],
    ["LOGBOOM_LINGER_MS", "0", 0],
    ["LOGBOOM_RETENTION_DAYS", "36500", 36_500],
    ["LOGBOOM_LOG_LEVEL", "silent", "silent"],
    ["LOGBOOM_CUSTOMER", "A.b_c-9", "A.b_c-9"],
    ["LOGBOOM_CUSTOMER", "x".repeat(64), "x".repeat(64)],
    ["LOGBOOM_WRITE_TOKEN", "~".repeat(16), "~".repeat(16)],
    ["LOGBOOM_READ_TOKEN", "!".repeat(255), "!".repeat(255)],
  ] as const)("%s may be %j", (name, value, expected) => {
    expect(readConfig({ [name]: value })[name]).toBe(expected);
  });

  test.each([
    ["LOGBOOM_PORT", "65536"],
    ["LOGBOOM_PORT", "-1"],
    ["LOGBOOM_PORT", "80.5"],
    ["LOGBOOM_PORT", "http"],
    ["LOGBOOM_PORT", "7024 tcp"],
    // Number(" ") is 0: the service would listen on a random port.
    ["LOGBOOM_PORT", " "],
    ["LOGBOOM_TRUSTED_PROXIES", "front"],
    ["LOGBOOM_TRUSTED_PROXIES", "*"],
    ["LOGBOOM_TRUSTED_PROXIES", "0.0.0.0/0"],
    ["LOGBOOM_TRUSTED_PROXIES", "::/0"],
    ["LOGBOOM_TRUSTED_PROXIES", "10.0.0.0/33"],
    ["LOGBOOM_TRUSTED_PROXIES", "10.0.0.0/8/8"],
    ["LOGBOOM_TRUSTED_PROXIES", "10.0.0.1,"],
    ["LOGBOOM_TRUSTED_PROXIES", "10.0.0.1:80"],
    ["LOGBOOM_LINGER_MS", "1001"],
    ["LOGBOOM_LOG_MAX_BYTES", "16777215"],
    ["LOGBOOM_LOG_MAX_BYTES", "1e400"],
    ["LOGBOOM_MAX_BODY_BYTES", "0"],
    ["LOGBOOM_RETENTION_DAYS", "0"],
    ["LOGBOOM_LOG_LEVEL", "verbose"],
    ["LOGBOOM_LOG_LEVEL", "INFO"],
    ["LOGBOOM_CUSTOMER", "-a"],
    ["LOGBOOM_CUSTOMER", "a/b"],
    ["LOGBOOM_CUSTOMER", "a b"],
    ["LOGBOOM_CUSTOMER", "a\n"],
    ["LOGBOOM_CUSTOMER", "x".repeat(65)],
    ["LOGBOOM_CUSTOMER", "café"],
  ] as const)("%s may not be %j, and the fault repeats it", (name, value) => {
    const [fault, ...others] = faultsOf({ [name]: value });
    expect(others).toEqual([]);
    expect(fault?.startsWith(`${name} "${value}": `)).toBe(true);
  });
});

describe("DataHub's ports", () => {
  const token = "30000000-2222-3333-4444-555555555555";

  test("each have a token", () => {
    expect(readConfig({ LOGBOOM_DATAHUB: `10000=${token}, 0=${token}=` }).LOGBOOM_DATAHUB).toEqual([
      { port: 10_000, token },
      { port: 0, token: `${token}=` },
    ]);
  });

  test.each([
    ["without a port", token],
    ["beyond 65535", `65536=${token}`],
    ["with a short token", "10000=short"],
    ["with nothing between commas", `10000=${token},`],
    ["more than 16", Array.from({ length: 17 }, (_, n) => `${n}=${token}`).join()],
  ])("%s are refused, and no token is repeated", (_, value) => {
    const faults = faultsOf({ LOGBOOM_DATAHUB: value });
    expect(faults).toEqual([expect.stringMatching(/^LOGBOOM_DATAHUB: must be /)]);
  });
});

describe("a bootstrap token", () => {
  test.each([
    ["short", "x".repeat(15)],
    ["long", "y".repeat(256)],
    ["with a space", "secret secret secret"],
    ["with a line feed", "secret-secret-secret\n"],
    ["of other letters", "sécret-sécret-sécret"],
    ["short and with a space", "se cret"],
  ])("%s is refused without being repeated", (_, secret) => {
    for (const name of ["LOGBOOM_WRITE_TOKEN", "LOGBOOM_READ_TOKEN"]) {
      try {
        readConfig({ [name]: secret });
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        const { message, stack = "", faults } = error as ConfigError;
        expect(message).toContain(`${name}: `);
        expect(`${message}${stack}${faults.join()}${JSON.stringify(error)}`).not.toContain(secret);
        continue;
      }
      throw new Error(`${name} was taken`);
    }
  });

  test("that is right is not repeated among the faults of other variables", () => {
    const secret = "a-perfectly-good-token";
    const faults = faultsOf({ LOGBOOM_WRITE_TOKEN: secret, LOGBOOM_PORT: "x" });
    expect(faults.join()).not.toContain(secret);
  });
});

test.each([
  ["short", "ab".repeat(31)],
  ["long", "ab".repeat(33)],
  ["of other letters", "xy".repeat(32)],
])("a master key that is %s is refused without being repeated", (_, key) => {
  const faults = faultsOf({ LOGBOOM_MASTER_KEY: key });
  expect(faults).toEqual(["LOGBOOM_MASTER_KEY: must be 64 hex digits"]);
});

describe("a secret's file", () => {
  const dir = mkdtempSync(join(tmpdir(), "logboom-config-"));
  const path = join(dir, "secret");
  afterAll(() => rmSync(dir, { recursive: true }));

  test("gives the secret without its line feed", () => {
    writeFileSync(path, "a-perfectly-good-token\n");
    expect(readConfig({ LOGBOOM_WRITE_TOKEN_FILE: path }).LOGBOOM_WRITE_TOKEN).toBe(
      "a-perfectly-good-token",
    );
    expect(readConfig({ LOGBOOM_CLICKHOUSE_PASSWORD_FILE: path }).LOGBOOM_CLICKHOUSE_PASSWORD).toBe(
      "a-perfectly-good-token",
    );
  });

  test("that holds a bad one is refused without repeating it", () => {
    writeFileSync(path, "bad one\n");
    expect(faultsOf({ LOGBOOM_READ_TOKEN_FILE: path }).join()).toMatch(/^LOGBOOM_READ_TOKEN: /);
    expect(faultsOf({ LOGBOOM_READ_TOKEN_FILE: path }).join()).not.toContain("bad one");
  });

  test("that is not there, or is given beside the secret, is a fault", () => {
    const absent = join(dir, "absent");
    expect(faultsOf({ LOGBOOM_READ_TOKEN_FILE: absent })).toEqual([
      `LOGBOOM_READ_TOKEN_FILE "${absent}": cannot be read (ENOENT)`,
    ]);
    writeFileSync(path, "a-perfectly-good-token");
    const both = { LOGBOOM_READ_TOKEN: "x".repeat(20), LOGBOOM_READ_TOKEN_FILE: path };
    expect(faultsOf(both)).toHaveLength(1);
  });

  test("is for secrets alone", () => {
    expect(readConfig({ LOGBOOM_HOST_FILE: path })).toEqual(readConfig({}));
  });
});

describe("LOGBOOM_CLICKHOUSE_URL", () => {
  test("may name a server, or one of each shard", () => {
    const url = "http://a:8123, https://b:8443";
    expect(readConfig({ LOGBOOM_CLICKHOUSE_URL: url }).LOGBOOM_CLICKHOUSE_URL).toEqual([
      "http://a:8123",
      "https://b:8443",
    ]);
  });

  test.each([
    "clickhouse:8123",
    "tcp://clickhouse:9000",
    "http://clickhouse:8123/logboom",
    "http://a:8123,",
  ])("may not be %j", (url) => {
    expect(faultsOf({ LOGBOOM_CLICKHOUSE_URL: url })).toHaveLength(1);
  });

  test("with credentials is refused, and they are not repeated", () => {
    const faults = faultsOf({ LOGBOOM_CLICKHOUSE_URL: "http://user:hidden@clickhouse:8123" });
    expect(faults).toHaveLength(1);
    expect(faults.join()).not.toContain("hidden");
  });
});

test("all faults are named at once, a line each", () => {
  const wrong = {
    LOGBOOM_PORT: "eighty",
    LOGBOOM_CUSTOMER: "a b",
    LOGBOOM_READ_TOKEN: "short",
    LOGBOOM_LOG_LEVEL: "loud",
    LOGBOOM_BATCH_ROWS: "0",
    LOGBOOM_DRAIN_TIMEOUT_MS: "soon",
  };
  const faults = faultsOf({ ...wrong, LOGBOOM_HOST: "0.0.0.0" });
  const named = faults.map((fault) => fault.split(/[ :]/)[0]);
  expect(new Set(named)).toEqual(new Set(Object.keys(wrong)));
  expect(new ConfigError(faults).message.split("\n")).toEqual(faults);
});

test("there are at most fifty variables, all named LOGBOOM_ and all described", () => {
  // A half of them belongs to Kafka, ClickHouse servers and raw ports, which most will never set.
  expect(names.length).toBeLessThanOrEqual(50);
  for (const name of names) {
    expect(name).toMatch(/^LOGBOOM_[A-Z_]+$/);
    expect(environment[name].description, name).toMatch(/^\S.{8,}[^.]$/);
  }
});

describe("the raw ports' certificate", () => {
  const pair = { LOGBOOM_TLS_CERT: "cert.pem", LOGBOOM_TLS_KEY: "key.pem" };

  test("comes with its key, and a port of TLS with both", () => {
    expect(readConfig({ ...pair, LOGBOOM_TOKEN_TLS_PORT: "0" })).toMatchObject(pair);
  });

  test.each([
    [{ LOGBOOM_TLS_CERT: "cert.pem" }, "one is of no use without the other"],
    [{ LOGBOOM_TLS_KEY: "key.pem" }, "one is of no use without the other"],
    [{ LOGBOOM_TOKEN_TLS_PORT: "0" }, "needs LOGBOOM_TLS_CERT and LOGBOOM_TLS_KEY"],
  ])("is missed in %j", (env, fault) => {
    expect(faultsOf(env)).toEqual([expect.stringContaining(fault)]);
  });
});

test.each([
  ["LOGBOOM_KAFKA_SASL: needs LOGBOOM_KAFKA_PASSWORD", { LOGBOOM_KAFKA_SASL: "plain:logboom" }],
  // The password would go over the network in clear.
  ["LOGBOOM_KAFKA_CA_FILE: needs LOGBOOM_KAFKA_TLS=on", { LOGBOOM_KAFKA_CA_FILE: "ca.pem" }],
  // Events would go into a store of the process's own.
  [
    "LOGBOOM_CLICKHOUSE_CLUSTER: needs LOGBOOM_CLICKHOUSE_URL",
    { LOGBOOM_CLICKHOUSE_CLUSTER: "all" },
  ],
  // The kind of a token is found by its secret: the second would hide the first.
  [
    "LOGBOOM_WRITE_TOKEN, LOGBOOM_READ_TOKEN: are the same; give two",
    { LOGBOOM_WRITE_TOKEN: "x".repeat(20), LOGBOOM_READ_TOKEN: "x".repeat(20) },
  ],
])("%s", (fault, env) => {
  expect(faultsOf(env)).toEqual([fault]);
});

test("what no single variable shows is named at once, too", () => {
  const wrong = { LOGBOOM_KAFKA_SASL: "plain:logboom", LOGBOOM_CLICKHOUSE_CLUSTER: "all" };
  expect(faultsOf({ ...wrong, LOGBOOM_TLS_CERT: "cert.pem" })).toHaveLength(3);
});

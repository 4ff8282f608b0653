// `logboom query` as a person calls it, beside a running service.
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ingest, toNdjson, waitForCount } from "../support/api.ts";
import { findFreePort, runCli, startService, type Service } from "../support/service.ts";

let service: Service;
const nsPerMs = 1_000_000n;
const minutesAgo = (minutes: number): string =>
  String(BigInt(Date.now() - minutes * 60_000) * nsPerMs);

beforeAll(async () => {
  service = await startService();
  const events = [
    { time: "2024-01-15T07:00:00.5Z", prefix0: "web-1", prefix1: "nginx", message: "old ERROR" },
    { time: minutesAgo(120), prefix0: "web-1", prefix1: "nginx", message: "ERROR two hours ago" },
    { time: minutesAgo(10), prefix0: "web-2", prefix1: "nginx", message: "ERROR ten minutes ago" },
    { time: minutesAgo(5), prefix0: "db-1", message: "ERROR\tfive minutes\nand a second line" },
    { time: minutesAgo(1), prefix0: "db-1", message: "all is well" },
  ];
  await ingest(service, toNdjson(events));
  await waitForCount(service, { regex: ".*" }, events.length);
});

afterAll(() => service[Symbol.asyncDispose]());

const query = (args: readonly string[], env: Record<string, string> = {}) =>
  runCli(service.dataDir, ["query", "--api", service.url, ...args], env);

async function messages(...args: string[]): Promise<string[]> {
  const env = { L24_READ_TOKEN: service.readToken, L24_CUSTOMER: "acme" };
  const { code, stdout, stderr } = await query([...args, "--json"], env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.split("\n").slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { message: string }).message);
}

describe("the token is taken", () => {
  test("as it stands, from a variable and from a file", async () => {
    const path = join(service.dataDir, "the read token");
    writeFileSync(path, `${service.readToken}\n`);
    const file = `file://${path.replaceAll(" ", "%20")}`;
    for (const token of [service.readToken, "env://MY_TOKEN", file]) {
      const call = ["--customer", "acme", "old .*", token];
      const { code, stdout, stderr } = await query(call, { MY_TOKEN: service.readToken });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toBe("2024-01-15T07:00:00.5Z web-1/nginx old ERROR\n");
    }
  });

  test("and never shown when it is wrong, unfit for a header, or in the wrong place", async () => {
    const secret = "a-secret-that-must-not-show";
    const call = ["--customer", "acme", ".*"];
    const unknown = await query([...call, secret]);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/^logboom: the service answered 401: .*\n$/);
    const unfit = await query([...call, `${secret}\nx: y`]);
    expect(unfit.stderr).toContain("printable ASCII");
    const surplus = await query([...call, "first", secret]);
    expect(surplus.stderr).toContain("1 more given");
    const unset = await query([...call, "env://NO_SUCH_TOKEN"]);
    expect(unset.stderr).toContain("NO_SUCH_TOKEN is not set");
    const mistaken = await query([...call, `--token=${secret}`]);
    const inAddress = await query([...call, "x", "--api", `http://me:${secret}@127.0.0.1:1`]);
    for (const { code, stderr } of [unfit, surplus, unset, mistaken, inAddress]) {
      expect(code).toBe(2);
      expect(stderr).toContain("usage:");
    }
    for (const { stdout, stderr } of [unknown, unfit, surplus, unset, mistaken, inAddress]) {
      expect(stdout + stderr).not.toContain(secret);
    }
  });
});

test("events come newest first, as JSON lines that ingest takes, within times, labels and limit", async () => {
  const all = ["ERROR\tfive minutes\nand a second line", "ERROR ten minutes ago"];
  expect(await messages(".*ERROR.*", "--from", "now - 15m")).toEqual(all);
  expect(await messages(".*ERROR.*", "--from", "now-3h", "--to", "now - 1h")).toEqual([
    "ERROR two hours ago",
  ]);
  expect(await messages(".*", "--from", "2024-01-15", "--to", "2024-01-15 07:00:01")).toEqual([
    "old ERROR",
  ]);
  expect(await messages(".*ERROR.*", "--prefix", "0", "web", "--prefix", "1", "ngin")).toEqual([
    "ERROR ten minutes ago",
    "ERROR two hours ago",
    "old ERROR",
  ]);
  expect(await messages(".*ERROR.*", "--limit", "1")).toEqual(all.slice(0, 1));
  expect(await messages("nothing is like this")).toEqual([]);
});

describe("what cannot be asked ends with 2, what is refused or fails with 1:", () => {
  test.each([
    [2, "no pattern", [], "REGEX"],
    [2, "no customer", [".*", "token"], "--customer"],
    [2, "a time that is none", [".*", "t", "--customer", "acme", "--from", "soon"], '"soon"'],
    [2, "a limit beyond", [".*", "t", "--customer", "acme", "--limit", "10001"], "1 to 10000"],
    [2, "a fifth label", [".*", "t", "--customer", "acme", "--prefix", "4", "x"], "0 to 3"],
    [2, "no address", [".*", "t", "--customer", "acme", "--api", "127.0.0.1:1"], "--api"],
  ])("%d: %s", async (expected, _, args, said) => {
    const { code, stdout, stderr } = await query(args);
    expect({ code, stdout }).toEqual({ code: expected, stdout: "" });
    expect(stderr.split("\n")[0]).toContain(said);
  });

  test("1: nobody there", async () => {
    const api = `http://127.0.0.1:${await findFreePort()}`;
    const { code, stderr } = await query([".*", "t", "--customer", "acme", "--api", api]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^logboom: no answer from http:.*ECONNREFUSED.*\n$/);
  });

  test("1: a pattern that is not in the dialect, a customer of others", async () => {
    const pattern = await query(["(?i)x", service.readToken, "--customer", "acme"]);
    expect(pattern.code).toBe(1);
    expect(pattern.stderr).toContain("answered 400");
    const customer = await query([".*", service.readToken, "--customer", "other"]);
    expect(customer.code).toBe(1);
    expect(customer.stderr).toContain("answered 403");
  });
});

test("a token does not go where a redirect points to", async () => {
  const seen: (string | undefined)[] = [];
  const other = createServer((request, response) => {
    seen.push(request.url);
    response.writeHead(307, { location: "/elsewhere" }).end();
  }).listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const api = `http://127.0.0.1:${port}`;
  const { code } = await query([".*", "token", "--customer", "acme", "--api", api]);
  other.close();
  expect(code).toBe(1);
  expect(seen).toEqual(["/api/search/v1"]);
});

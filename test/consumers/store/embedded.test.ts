// The embedded ClickHouse starts, stops, survives kills, and shares its directory with nobody.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import { createStoreClient } from "../../../consumers/store/client.ts";
import {
  type EmbeddedStore,
  type EmbeddedStoreOptions,
  startEmbeddedStore,
} from "../../../consumers/store/embedded.ts";
import { LogboomError } from "../../../schemas/errors.ts";
import { makeTempDir, select, silentLogger, waitUntil } from "./store-fixture.ts";

vi.setConfig({ testTimeout: 60_000 });

const cleanups: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function tempDir(): string {
  const { dir, remove } = makeTempDir();
  cleanups.push(remove);
  return dir;
}

async function start(
  dir: string,
  options: Partial<EmbeddedStoreOptions> = {},
): Promise<EmbeddedStore> {
  const store = await startEmbeddedStore({ dir, logger: silentLogger, ...options });
  cleanups.push(() => store.close());
  return store;
}

/** What a user gets for a statement over plain HTTP: status and text. */
async function ask(
  store: { readonly url: string },
  user: { readonly username: string; readonly password: string },
  statement: string,
): Promise<{ status: number; text: string }> {
  const response = await fetch(store.url, {
    method: "POST",
    body: statement,
    headers: {
      "X-ClickHouse-User": user.username,
      "X-ClickHouse-Key": user.password,
      connection: "close",
    },
  });
  return { status: response.status, text: (await response.text()).trim() };
}

interface OwningService {
  readonly process: ChildProcess;
  readonly serverPid: number;
}

async function spawnService(dir: string): Promise<OwningService> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("./owning-service.ts", import.meta.url)), dir],
    { stdio: ["ignore", "pipe", "inherit"], detached: true },
  );
  cleanups.push(() => void child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const { serverPid } = JSON.parse(line.toString()) as { serverPid: number };
  return { process: child, serverPid };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

test("what was written is there after a stop and a start", async () => {
  const dir = tempDir();
  const first = await start(dir);
  await ask(first, first.writer, "CREATE DATABASE logboom");
  await ask(first, first.writer, "CREATE TABLE logboom.t (n Int64) ENGINE = MergeTree ORDER BY n");
  await ask(first, first.writer, "INSERT INTO logboom.t VALUES (7)");
  const firstPid = first.pid ?? 0;
  await first.close();
  expect(isAlive(firstPid)).toBe(false);

  const second = await start(dir);
  expect(await ask(second, second.reader, "SELECT n FROM logboom.t")).toEqual({
    status: 200,
    text: "7",
  });
  expect(second.writer.password).not.toBe(first.writer.password);
});

test("a killed child is noticed at once and started again on the same address", async () => {
  const store = await start(tempDir());
  const states: string[] = [];
  store.onStateChange((state) => states.push(state));
  const { url, pid } = store;
  process.kill(pid ?? 0, "SIGKILL");
  await waitUntil("down", () => states.includes("down"), 1000);
  await waitUntil("up again", () => store.state === "up");
  expect(states).toEqual(["down", "starting", "up"]);
  expect(store.url).toBe(url);
  expect(store.pid).not.toBe(pid);
  expect(await ask(store, store.writer, "SELECT 1")).toEqual({ status: 200, text: "1" });
});

test("close() during a restart ends it", async () => {
  const store = await start(tempDir());
  process.kill(store.pid ?? 0, "SIGKILL");
  await waitUntil("starting", () => store.state === "starting");
  const pid = store.pid ?? 0;
  await store.close();
  expect(isAlive(pid)).toBe(false);
  expect(store.state).toBe("down");
});

test("a client that keeps its connection does not hold up the stop", async () => {
  const store = await start(tempDir());
  const client = createStoreClient({ url: store.url, database: "default", ...store.writer });
  cleanups.push(() => client.close());
  expect(await select(client, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  const began = Date.now();
  await store.close();
  expect(Date.now() - began).toBeLessThan(5000);
});

test("a second service on the directory is refused, and the first is not disturbed", async () => {
  const dir = tempDir();
  const { serverPid } = await spawnService(dir);
  const began = Date.now();
  let output = "";
  const logger = pino({ level: "warn" }, { write: (line: string) => void (output += line) });
  const refused = await startEmbeddedStore({ dir, logger, lockWaitMs: 500 }).catch(
    (error: unknown) => error,
  );
  // Once, however often it looks: nobody wonders why the start takes so long.
  expect(output.match(/store directory is held; waiting/g)).toHaveLength(1);
  expect(Date.now() - began).toBeLessThan(5000);
  expect(refused).toBeInstanceOf(LogboomError);
  expect(refused).toMatchObject({ code: "UNAVAILABLE", details: { dir } });
  expect((refused as Error).message).toContain(dir);
  expect((refused as Error).message).toContain(String(serverPid));
  expect(isAlive(serverPid)).toBe(true);
});

test("two stores on a directory in one process: the second is refused", async () => {
  const dir = tempDir();
  await start(dir);
  await expect(startEmbeddedStore({ dir, logger: silentLogger, lockWaitMs: 0 })).rejects.toThrow(
    dir,
  );
});

test("after kill -9 of the service a new one has the directory within seconds", async () => {
  const dir = tempDir();
  const service = await spawnService(dir);
  service.process.kill("SIGKILL");
  const began = Date.now();
  const store = await start(dir);
  expect(Date.now() - began).toBeLessThan(5000);
  expect(isAlive(service.serverPid)).toBe(false);
  expect(await ask(store, store.writer, "SELECT 1")).toEqual({ status: 200, text: "1" });
});

test("the child ends by itself when the service was killed", async () => {
  const service = await spawnService(tempDir());
  service.process.kill("SIGKILL");
  await waitUntil("child gone", () => !isAlive(service.serverPid));
});

test("Ctrl-C in the terminal reaches the service, which ends the child", async () => {
  const service = await spawnService(tempDir());
  const exit = once(service.process, "exit");
  // the whole foreground group, as a terminal does it
  process.kill(-(service.process.pid ?? 0), "SIGINT");
  expect(await exit).toEqual([0, null]);
  expect(isAlive(service.serverPid)).toBe(false);
});

test("the files that hold users are private and hold no password", async () => {
  const dir = tempDir();
  const store = await start(dir);
  for (const name of ["users.xml", "config.xml"]) {
    const path = join(dir, name);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    expect(text).not.toContain(store.writer.password);
    expect(text).not.toContain(store.reader.password);
  }
  const environment = readFileSync(`/proc/${store.pid}/environ`, "utf8");
  const command = readFileSync(`/proc/${store.pid}/cmdline`, "utf8");
  expect(environment + command).not.toContain(store.writer.password);
});

test("nobody gets in without a password, not even as the server's own user", async () => {
  const store = await start(tempDir());
  const wrong = await ask(store, { username: store.writer.username, password: "" }, "SELECT 1");
  expect(wrong.text).toContain("Code: 516");
  const own = await ask(store, { username: "default", password: "" }, "SELECT 1");
  expect(own.text).toContain("Code: 700");
});

test("the reader reads, and neither writes, nor reads files, nor lifts its limits", async () => {
  const store = await start(tempDir());
  await ask(store, store.writer, "CREATE DATABASE logboom");
  await ask(store, store.writer, "CREATE TABLE logboom.t (n Int64) ENGINE = MergeTree ORDER BY n");
  expect(await ask(store, store.reader, "SELECT count() FROM logboom.t")).toMatchObject({
    text: "0",
  });
  for (const statement of [
    "INSERT INTO logboom.t VALUES (1)",
    "DROP TABLE logboom.t",
    "ALTER TABLE logboom.t DELETE WHERE 1",
    "CREATE TABLE logboom.u (n Int64) ENGINE = MergeTree ORDER BY n",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM system.users",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_memory_usage = 100000000000",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SYSTEM SHUTDOWN",
  ]) {
    expect(await ask(store, store.reader, statement), statement).not.toMatchObject({ status: 200 });
  }
});

test("a directory that cannot be used is an error that names it", async () => {
  // not below /proc: there Node's recursive mkdir never returns
  const dir = join(tempDir(), "file", "store");
  writeFileSync(dirname(dir), "");
  await expect(
    startEmbeddedStore({ dir, logger: silentLogger, lockWaitMs: 0 }),
  ).rejects.toMatchObject({ code: "UNAVAILABLE", details: { dir } });
});

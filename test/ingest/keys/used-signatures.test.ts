// Signatures that were used: once over all processes, and no longer remembered than they are good.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { UsedSignatures } from "../../../ingest/keys/used-signatures.ts";
import type { Log } from "../../../ingest/log/log.ts";
import { openTempLog } from "../log/log-fixture.ts";

const program = fileURLToPath(new URL("signature-program.ts", import.meta.url));
const minute = 60_000;

interface Opened extends AsyncDisposable {
  readonly used: UsedSignatures;
}

async function open(
  log: Log,
  options: ConstructorParameters<typeof UsedSignatures>[1] = {},
): Promise<Opened> {
  const used = new UsedSignatures(log, options);
  const following = await log.follow("accounts", (record) => void used.take(record));
  return { used, [Symbol.asyncDispose]: () => following.close() };
}

/** Another process on the log, told signatures to use. */
async function startProcess(dir: string) {
  const child = spawn(process.execPath, [program, dir], { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect(await lines.next(), errors).toMatchObject({ value: "ready" });
  return {
    use: async (signature: string): Promise<boolean> => {
      child.stdin.write(`${signature}\n`);
      const { value } = await lines.next();
      return value === `${signature} true`;
    },
    end: async (): Promise<void> => {
      child.stdin.end();
      const [code] = (await once(child, "exit")) as [number | null];
      expect({ code, errors }).toEqual({ code: 0, errors: "" });
    },
  };
}

test("of processes that use the same signatures at the same time, one is the first to use each", async () => {
  await using temp = await openTempLog();
  await using here = await open(temp.log);
  const [one, other] = await Promise.all([startProcess(temp.dir), startProcess(temp.dir)]);
  const goodUntil = Date.now() + minute;
  for (let n = 0; n < 20; n++) {
    const firsts = await Promise.all([
      here.used.use("key", `s${n}`, goodUntil),
      one.use(`s${n}`),
      other.use(`s${n}`),
    ]);
    expect(firsts.filter(Boolean), `s${n}: ${firsts.join()}`).toHaveLength(1);
  }
  // What ends takes nothing with it.
  expect(await one.use("last")).toBe(true);
  await Promise.all([one.end(), other.end()]);
  const anew = await startProcess(temp.dir);
  for (const signature of ["s0", "s19", "last"]) expect(await anew.use(signature)).toBe(false);
  expect(await anew.use("new")).toBe(true);
  await anew.end();
});

test("the same signature at the same time in one process, and those of two keys", async () => {
  await using temp = await openTempLog();
  await using here = await open(temp.log);
  const use = (keyId: string) => here.used.use(keyId, "s", Date.now() + minute);
  const firsts = await Promise.all([use("k"), use("k"), use("k"), use("other")]);
  expect(firsts.slice(0, 3).filter(Boolean)).toHaveLength(1);
  expect(firsts[3]).toBe(true);
});

test("a restart forgets none, and what is out of date is removed from the stream", async () => {
  await using temp = await openTempLog();
  let now = Date.now();
  const options = { now: () => now };
  {
    await using here = await open(temp.log, options);
    expect(await here.used.use("k", "a", now + minute)).toBe(true);
    expect(await here.used.use("k", "b", now + 60 * minute)).toBe(true);
  }
  const log = await temp.reopen();
  await using here = await open(log, options);
  expect(await here.used.use("k", "a", now + minute)).toBe(false);
  now += 3 * minute;
  expect(await here.used.use("k", "c", now + minute)).toBe(true);
  expect(here.used.size).toBe(2);
  await using later = await open(log, options);
  expect(later.used.size).toBe(2);
  expect(await later.used.use("k", "b", now + minute)).toBe(false);
});

test("no more are remembered than the limit, and then those who sign have to wait", async () => {
  await using temp = await openTempLog();
  let now = Date.now();
  await using here = await open(temp.log, { now: () => now, limit: 2 });
  for (const signature of ["a", "b"]) await here.used.use("k", signature, now);
  await expect(here.used.use("k", "c", now)).rejects.toMatchObject({
    code: "RATE_LIMITED",
    retryAfterSeconds: 60,
  });
  now += 2 * minute;
  expect(await here.used.use("k", "c", now)).toBe(true);
  expect(here.used.size).toBe(1);
});

test("a record that cannot be read is nobody's claim", async () => {
  await using temp = await openTempLog();
  await using here = await open(temp.log);
  for (const value of ["{", "[]", '{"type":"signature"}']) {
    const record = { key: "signature/name/claim", value: Buffer.from(value) };
    expect(here.used.take(record)).toBe(true);
  }
  expect(here.used.size).toBe(0);
  expect(here.used.take({ key: "token/1", value: Buffer.from("{}") })).toBe(false);
});

// Several processes on one log: the service, and command lines that write accounts beside it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { LogRecord } from "../../../ingest/log/log.ts";
import { eventRecord, openTempLog, readAllText } from "./log-fixture.ts";

const program = fileURLToPath(new URL("account-writer-program.ts", import.meta.url));
const count = 100;

async function runWriter(dir: string, name: string): Promise<void> {
  const child = spawn(process.execPath, [program, dir, name, String(count)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const [code] = (await once(child, "exit")) as [number | null];
  expect({ name, code, errors }).toEqual({ name, code: 0, errors: "" });
}

test("accounts that two processes and this one write at once are all kept, each at an offset of its own", async () => {
  await using temp = await openTempLog();
  const { log, dir } = temp;
  const seen: LogRecord[] = [];
  const following = await log.follow("accounts", (record) => void seen.push(record));
  let isWriting = true;
  const writeHere = (async () => {
    for (let number = 0; isWriting; number++) {
      const value = Buffer.from(`here ${number}`);
      await log.append([
        { stream: "accounts", partition: 0, key: `here/${number % count}`, value },
      ]);
      await log.append([eventRecord(number % 4, `event ${number}`)]);
    }
  })();
  await Promise.all([runWriter(dir, "a"), runWriter(dir, "b")]);
  isWriting = false;
  await writeHere;

  const all: LogRecord[] = [];
  await (await log.follow("accounts", (record) => void all.push(record))).close();
  const keys = all.map(({ key }) => key);
  expect(new Set(keys).size).toBe(keys.length);
  for (const name of ["a", "b"]) {
    const values = all
      .filter(({ key }) => key?.startsWith(`${name}/`))
      .map(({ value }) => value.toString());
    expect(values).toEqual(Array.from({ length: count }, (_, number) => `${name} ${number}`));
  }
  expect(all.find(({ key }) => key === "shared")?.value.toString()).toMatch(/^[ab] 99$/);
  const offsets = all.map(({ offset }) => offset);
  expect(offsets).toEqual([...new Set(offsets)].toSorted((a, b) => a - b));

  // Whoever follows has every key's last record within a second, in order and none twice.
  const lastOf = (records: readonly LogRecord[]) =>
    new Map(records.map(({ key, offset }) => [key, offset]));
  for (let waited = 0; waited < 1000 && seen.at(-1)?.offset !== all.at(-1)?.offset; waited += 20)
    await sleep(20);
  expect(lastOf(seen)).toEqual(lastOf(all));
  const order = seen.map(({ offset }) => offset);
  expect(order).toEqual([...new Set(order)].toSorted((a, b) => a - b));
  await following.close();
});

test("a process that writes accounts leaves the events of another alone", async () => {
  await using temp = await openTempLog();
  await temp.log.append([eventRecord(1, "before")]);
  const writing = runWriter(temp.dir, "a");
  for (let n = 0; n < 30; n++) {
    await temp.log.append([eventRecord(1, `meanwhile ${n}`)]);
    await sleep(5);
  }
  await writing;
  await temp.log.append([eventRecord(1, "after")]);
  const expected = ["before", ...Array.from({ length: 30 }, (_, n) => `meanwhile ${n}`), "after"];
  expect(await readAllText(temp.log)).toEqual(expected);
  await temp.reopen();
  expect(await readAllText(temp.log)).toEqual(expected);
});

// A consumer that dies or hangs: the next owner gets exactly its announced range, and it can commit no more.
import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, inject, test } from "vitest";
import type { Position } from "../../../../ingest/log/log.ts";
import { eventRecord, withPartition } from "../log-fixture.ts";
import { openKafkaLog } from "./kafka-fixture.ts";

const brokers = inject("kafkaBrokers");
const program = fileURLToPath(new URL("consumer-program.ts", import.meta.url));
const partition = 1;

interface Consumer extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Waits for a line that begins so. */
  waitForNote(verb: string): Promise<string>;
}

function startConsumer(prefix: string, dir: string, lingerMs: number): Consumer {
  const notes = join(dir, `notes-${randomUUID()}`);
  const args = [program, brokers.join(","), prefix, String(partition), notes, String(lingerMs)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const exited = once(child, "exit");
  return {
    child,
    waitForNote: async (verb) => {
      for (let tries = 0; tries < 1500; tries++) {
        const lines = existsSync(notes) ? readFileSync(notes, "utf8").split("\n") : [];
        const line = lines.find((one) => one.startsWith(verb));
        if (line !== undefined) return line;
        await sleep(20);
      }
      throw new Error(`no note "${verb}": ${errors}`);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

test("a consumer that is killed leaves its announced range, and no more, to the next", async () => {
  const prefix = `test-${randomUUID()}`;
  await using temp = await openKafkaLog({ brokers, prefix });
  for (const text of ["a", "b", "c"]) await temp.log.append([eventRecord(partition, text)]);
  await using consumer = startConsumer(prefix, temp.dir, 60_000);
  const [, from, last] = (await consumer.waitForNote("announced")).split(" ");
  consumer.child.kill("SIGKILL");
  // Comes after the announcement: it is not the range's.
  await temp.log.append([eventRecord(partition, "d")]);

  const seen = await withPartition(temp.log, partition, async ({ committed, read, commit }) => {
    const records = [];
    for (let next = committed.offset; next <= Number(last);) {
      records.push(...(await read(next, 1e6, 0)));
      next = (records.at(-1)?.offset ?? next) + 1;
    }
    const texts = records.map(({ value }) => value.toString());
    await commit({ offset: Number(last) + 1, metadata: "" });
    return { committed, texts };
  });
  expect(seen.committed).toEqual({ offset: Number(from), metadata: `inserting up to ${last}` });
  expect(seen.texts.slice(0, Number(last) + 1)).toEqual(["a", "b", "c"].slice(0, Number(last) + 1));
});

test("a consumer frozen past its session wakes as nobody, and commits nothing", async () => {
  const prefix = `test-${randomUUID()}`;
  await using temp = await openKafkaLog({ brokers, prefix });
  for (const text of ["a", "b", "c"]) await temp.log.append([eventRecord(partition, text)]);
  await using zombie = startConsumer(prefix, temp.dir, 1_500);
  const [, from, last] = (await zombie.waitForNote("announced")).split(" ");
  zombie.child.kill("SIGSTOP");

  const ours: Position = { offset: Number(last) + 1, metadata: "the new owner's" };
  const taken = await withPartition(temp.log, partition, async ({ committed, commit }) => {
    await commit(ours);
    return committed;
  });
  expect(taken).toEqual({ offset: Number(from), metadata: `inserting up to ${last}` });

  zombie.child.kill("SIGCONT");
  expect(await zombie.waitForNote("refused")).toBe("refused UNAVAILABLE");
  zombie.child.kill("SIGKILL");
  const now = await withPartition(temp.log, partition, async ({ committed }) => committed);
  expect(now).toEqual(ours);
});

// Opens real logs in folders of their own, and reads what consumers would get.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedLog } from "../../../ingest/log/embedded.ts";
import type { Assignment, Log, LogRecord, NewRecord } from "../../../ingest/log/log.ts";

/** A folder of its own, and what removes it. */
export function makeTempDir(): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "logboom-ingest-"));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** A log of its own; the embedded one unless said otherwise. */
export interface TempLog<Kind extends Log = EmbeddedLog> extends AsyncDisposable {
  readonly dir: string;
  readonly log: Kind;
  /** Closes and opens it, as a restart does. */
  reopen(): Promise<Kind>;
}

interface LogOptions {
  readonly maxBytes?: number;
  readonly now?: () => number;
}

export async function openTempLog({
  maxBytes = 1e9,
  now = Date.now,
}: LogOptions = {}): Promise<TempLog> {
  const { dir, remove } = makeTempDir();
  const open = () => EmbeddedLog.open({ dir, maxBytes, now });
  let log = await open();
  return {
    dir,
    get log() {
      return log;
    },
    reopen: async () => {
      await log.close();
      log = await open();
      return log;
    },
    [Symbol.asyncDispose]: async () => {
      await log.close();
      remove();
    },
  };
}

/** A record of `events`. */
export function eventRecord(partition: number, value: string | Buffer): NewRecord {
  return { stream: "events", partition, value: Buffer.from(value) };
}

/** Runs a task with a partition assigned for a group, and gives it back. */
export async function withPartition<Result>(
  log: Log,
  partition: number,
  task: (assignment: Assignment) => Promise<Result>,
  group = "test",
): Promise<Result> {
  const results: Result[] = [];
  let failure: { readonly error: unknown } | undefined;
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const consumption = await log.consume(group, async (assignment) => {
    if (assignment.partition !== partition) return;
    try {
      results.push(await task(assignment));
    } catch (error) {
      failure = { error };
    }
    finish();
  });
  await finished;
  await consumption.close();
  if (failure !== undefined) throw failure.error;
  return results[0] as Result;
}

/** All records of a partition from an offset on. */
export function readFrom(log: Log, partition: number, offset = 0): Promise<LogRecord[]> {
  return withPartition(log, partition, async ({ read }) => {
    const records: LogRecord[] = [];
    for (;;) {
      const next = await read((records.at(-1)?.offset ?? offset - 1) + 1, 1e9, 0);
      if (next.length === 0) return records;
      records.push(...next);
    }
  });
}

/** The records of all partitions, as text. */
export async function readAllText(log: Log): Promise<string[]> {
  const texts: string[] = [];
  for (let partition = 0; partition < log.partitionCount; partition++) {
    for (const { value } of await readFrom(log, partition)) texts.push(value.toString("utf8"));
  }
  return texts;
}

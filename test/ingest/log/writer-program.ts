// A process that writes into a log until it is killed, and notes in a file what it was told is durable.
//
// Usage: writer-program.ts DIR NOTES ROUND
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { EmbeddedLog } from "../../../ingest/log/embedded.ts";
import { valueOf } from "./written-value.ts";

const LANES = 6;

const [dir = "", notes = "", round = ""] = process.argv.slice(2);
const log = await EmbeddedLog.open({ dir, maxBytes: 1e9 });
// A line of a file is written whole or not at all, also when the process dies next.
const note = (line: string): void => appendFileSync(notes, `${line}\n`);
note("opened");

async function write(lane: number): Promise<never> {
  for (let number = 0; ; number++) {
    const name = `${round}/${lane}/${number}`;
    // Records of two partitions and a receipt in one append: all or nothing.
    await log.append(
      [
        { stream: "events", partition: lane % 3, value: valueOf(name) },
        { stream: "events", partition: 3, value: valueOf(name) },
      ],
      [{ key: name, value: name, expiresAt: Date.now() + 3_600_000 }],
    );
    note(`acknowledged ${name}`);
  }
}

/** Empties the last partition as consumers do, so that its offsets are known only by a note. */
const consumption = await log.consume(
  "emptying",
  async ({ partition, committed, read, commit }) => {
    if (partition !== 3) return;
    for (let next = committed.offset; ;) {
      const records = await read(next, 1e6, 50);
      const last = records.at(-1);
      if (last === undefined) continue;
      note(`read ${last.offset}`);
      next = last.offset + 1;
      await commit({ offset: next, metadata: "" });
      note(`committed ${next}`);
    }
  },
);

await Promise.race([...Array.from({ length: LANES }, (_, lane) => write(lane)), sleep(60_000)]);
await consumption.close();

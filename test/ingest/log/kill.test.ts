// kill -9 at any moment: what was acknowledged is there, whole, with its receipt, at an offset of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { EmbeddedLog } from "../../../ingest/log/embedded.ts";
import { eventRecord, makeTempDir, readFrom } from "./log-fixture.ts";
import { nameOf } from "./written-value.ts";

const program = fileURLToPath(new URL("writer-program.ts", import.meta.url));
const rounds = Number(process.env["LOGBOOM_TEST_KILL_ROUNDS"] ?? 8);

interface Notes {
  readonly acknowledged: readonly string[];
  /** highest offset that was read or committed in the emptied partition */
  readonly highestOffset: number;
}

function readNotes(path: string): Notes {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const valuesOf = (verb: string) =>
    lines.filter((line) => line.startsWith(`${verb} `)).map((line) => line.slice(verb.length + 1));
  return {
    acknowledged: valuesOf("acknowledged"),
    highestOffset: Math.max(
      -1,
      ...valuesOf("read").map(Number),
      ...valuesOf("committed").map((offset) => Number(offset) - 1),
    ),
  };
}

/** Runs the writer, and kills it some random moments after it has begun to write. */
async function runAndKill(dir: string, notes: string, round: number): Promise<void> {
  const child = spawn(process.execPath, [program, dir, notes, String(round)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  while (!existsSync(notes) && child.exitCode === null) await sleep(5);
  await sleep(20 + Math.random() * 300);
  child.kill("SIGKILL");
  const [code, signal] = await exited;
  expect({ code, signal, errors }).toEqual({ code: null, signal: "SIGKILL", errors: "" });
}

test(
  `in ${rounds} rounds nothing acknowledged is lost, and no offset is given twice`,
  { timeout: 120_000 },
  async () => {
    const { dir, remove } = makeTempDir();
    const logDir = join(dir, "log");
    const known = new Map<string, string>();
    const acknowledged: string[] = [];
    let highestOffset = -1;
    try {
      for (let round = 0; round < rounds; round++) {
        const notesPath = join(dir, `notes-${round}`);
        await runAndKill(logDir, notesPath, round);
        const notes = readNotes(notesPath);
        acknowledged.push(...notes.acknowledged);
        highestOffset = Math.max(highestOffset, notes.highestOffset);

        const log = await EmbeddedLog.open({ dir: logDir, maxBytes: 1e9 });
        const found = new Set<string>();
        for (const partition of [0, 1, 2]) {
          for (const { offset, value } of await readFrom(log, partition)) {
            const name = nameOf(value);
            found.add(name);
            const place = `${partition}/${offset}`;
            // What an earlier round saw at an offset is there still.
            expect(known.get(place) ?? name, place).toBe(name);
            known.set(place, name);
          }
        }
        expect(known.size, "no record was deleted").toBe(found.size);
        expect(acknowledged.filter((name) => !found.has(name))).toEqual([]);
        // With its receipt, or not at all.
        expect([...found].filter((name) => log.findReceipt(name) !== name)).toEqual([]);
        const lost = `${round}/0/${notes.acknowledged.length + 1000}`;
        expect(log.findReceipt(lost)).toBeUndefined();

        // The emptied partition: its records are gone, its offsets go on.
        await log.append([eventRecord(3, "probe")]);
        const emptied = await readFrom(log, 3);
        const probe = emptied.at(-1);
        expect(probe?.value.toString()).toBe("probe");
        expect(probe?.offset).toBeGreaterThan(highestOffset);
        const offsets = emptied.map(({ offset }) => offset);
        expect(offsets).toEqual([...new Set(offsets)].toSorted((a, b) => a - b));
        highestOffset = Math.max(highestOffset, ...offsets);
        await log.close();
      }
      // Else the rounds have tried nothing.
      expect(acknowledged.length).toBeGreaterThan(10 * rounds);
      expect(highestOffset).toBeGreaterThan(rounds);
    } finally {
      remove();
    }
  },
);

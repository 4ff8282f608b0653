// Writes the data set to files before anything is measured, so that the sender has nothing to do but send.
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { EventSource } from "./data.ts";

const DAYS = 3;
const PART_EVENTS = 1_000_000;
export const NEEDLES = 7;

export interface DataSetPlan {
  readonly events: number;
  readonly batchEvents: number;
  readonly seed: number;
  /** The end of the last day, in seconds; the data set is the three days before it. */
  readonly endSeconds: number;
}

/** One file of up to a million events, its batches one after the other. */
export interface Part {
  readonly path: string;
  readonly events: number;
  readonly messageBytes: number;
  readonly batches: readonly { readonly events: number; readonly sizeBytes: number }[];
  /** How many events each stream has here. */
  readonly streamEvents: readonly number[];
}

export const startSecondsOf = (plan: DataSetPlan): number => plan.endSeconds - DAYS * 86_400;

/** A data set of an earlier generator must not be taken for one of today's. */
function generatorHash(): string {
  const sources = ["data", "lines", "random", "stamp", "streams", "vocabulary", "prepare"];
  const hash = createHash("sha256");
  for (const name of sources) hash.update(readFileSync(new URL(`${name}.ts`, import.meta.url)));
  return hash.digest("hex").slice(0, 8);
}

function needlePlaces(events: number): number[] {
  return Array.from({ length: NEEDLES }, (_, n) => Math.floor(((n + 0.5) * events) / NEEDLES));
}

/** Writes one part, unless an earlier run left it. */
function writePart(plan: DataSetPlan, number: number, path: string): void {
  if (existsSync(`${path}.json`)) return;
  const source = new EventSource(plan.seed, number);
  const stepNs = (DAYS * 86_400e9) / plan.events;
  const first = number * PART_EVENTS;
  const end = Math.min(first + PART_EVENTS, plan.events);
  const needles = needlePlaces(plan.events);
  const batches: { events: number; sizeBytes: number }[] = [];
  let messageBytes = 0;
  const file = openSync(path, "w");
  for (let from = first; from < end; from += plan.batchEvents) {
    const events = Math.min(plan.batchEvents, end - from);
    const batch = source.batch({
      events,
      epochSeconds: startSecondsOf(plan),
      fromNs: from * stepNs,
      untilNs: (from + events) * stepNs,
      needles: new Set(needles.map((place) => place - from)),
    });
    writeSync(file, batch.body);
    batches.push({ events, sizeBytes: batch.body.length });
    messageBytes += batch.messageBytes;
  }
  closeSync(file);
  const streamEvents = [...source.streamEvents];
  const part: Part = { path, events: end - first, messageBytes, batches, streamEvents };
  writeFileSync(`${path}.tmp`, JSON.stringify(part));
  renameSync(`${path}.tmp`, `${path}.json`);
}

/** Makes the data set in `folder`, a worker a core, and returns its parts in the order of time. */
export async function prepareDataSet(plan: DataSetPlan, folder: string): Promise<Part[]> {
  mkdirSync(folder, { recursive: true });
  const name = `${generatorHash()}-${plan.seed}-${plan.endSeconds}-${plan.events}-${plan.batchEvents}`;
  const numbers = Array.from({ length: Math.ceil(plan.events / PART_EVENTS) }, (_, n) => n);
  const pathOf = (number: number): string => join(folder, `${name}-${number}.ndjson`);
  const waiting = numbers.filter((number) => !existsSync(`${pathOf(number)}.json`));
  const work = async (): Promise<void> => {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) {
      const order: PartOrder = { plan, number, path: pathOf(number) };
      await new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: order });
        worker.once("error", reject).once("message", () => {
          resolve();
        });
      });
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return numbers.map(
    (number) => JSON.parse(readFileSync(`${pathOf(number)}.json`, "utf8")) as Part,
  );
}

interface PartOrder {
  readonly plan: DataSetPlan;
  readonly number: number;
  readonly path: string;
}

// The test runner, too, may run this file in a worker; ours are told a plan.
if (
  !isMainThread &&
  typeof workerData === "object" &&
  workerData !== null &&
  "plan" in workerData
) {
  const { plan, number, path } = workerData as PartOrder;
  writePart(plan, number, path);
  parentPort?.postMessage("written");
}

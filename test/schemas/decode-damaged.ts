// A thread that decodes a record with each of its bytes damaged in turn, and says where it is.
import { parentPort, workerData } from "node:worker_threads";
import { decodeContainer } from "../../schemas/event-codec.ts";

export interface DamagedDecoding {
  readonly record: Uint8Array;
  /** What a damaged byte may become. */
  readonly values: readonly number[];
  /** The position that is being tried, for whoever waits: a thread that is stuck cannot say it. */
  readonly position: SharedArrayBuffer;
}

const { record, values, position } = workerData as DamagedDecoding;
const trying = new Int32Array(position);
let most = 0;
for (let index = 0; index < record.length; index++) {
  Atomics.store(trying, 0, index);
  for (const value of values) {
    const damaged = Buffer.from(record);
    damaged[index] = value;
    most = Math.max(most, countDecoded(damaged));
  }
}
parentPort?.postMessage(most);

function countDecoded(damaged: Buffer): number {
  try {
    return decodeContainer(damaged).length;
  } catch {
    return 0;
  }
}

// Gives memory back after a burst: V8 collects when it allocates, and an idle edge hardly does.
import ffi from "node:ffi";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const INTERVAL_MS = 1_000;
/** Growth of the resident memory that is worth a collection; a burst leaves hundreds of MiB. */
const WORTHWHILE_BYTES = 64 * 1024 * 1024;

type Collect = (options: { type: "major"; execution: "async" }) => Promise<void>;

/**
 * Collects garbage, and hands what was freed to the system, when nothing is in flight and the process has
 * grown since the last time.
 *
 * @param isIdle whether a pause of some 50 ms would be noticed by nobody
 * @returns what ends it
 */
export function startIdleCollector(isIdle: () => boolean): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as Collect;
  const trim = findTrim();
  let settledBytes = process.memoryUsage.rss();
  let mustTrim = false;
  const timer = setInterval(() => {
    if (!isIdle()) return;
    if (mustTrim) {
      // One interval later, because V8 frees buffers beside the program after it has found them dead.
      mustTrim = false;
      trim();
      settledBytes = process.memoryUsage.rss();
    } else if (process.memoryUsage.rss() > settledBytes + WORTHWHILE_BYTES) {
      mustTrim = true;
      void collect({ type: "major", execution: "async" });
    }
  }, INTERVAL_MS).unref();
  return () => clearInterval(timer);
}

/** glibc keeps what was freed in small pieces, as decompression frees it, until it is told to let go. */
function findTrim(): () => void {
  if (process.platform !== "linux") return () => {};
  try {
    const { functions } = ffi.dlopen("libc.so.6", {
      malloc_trim: { arguments: ["u64"], return: "i32" },
    });
    return () => {
      functions.malloc_trim(0n);
    };
  } catch {
    // another C library, which has no such thing
    return () => {};
  }
}

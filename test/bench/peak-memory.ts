// Watches the memory of a process tree and keeps its peak.
import type { Figure } from "./report.ts";
import type { Memory, ProcessTree } from "./process-tree.ts";

const GB = 1e9;
const SAMPLE_EVERY_MS = 200;
/** Processes come and go rarely, and looking for them costs more than reading their memory. */
const REFRESH_EVERY_SAMPLES = 5;
const NOTHING: Memory = { resident: 0, rootResident: 0, anonymous: 0, file: 0 };

export class PeakMemory implements Disposable {
  /** The sample with the most resident bytes. */
  peak = NOTHING;
  peakAnonymous = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(tree: ProcessTree) {
    let samples = 0;
    this.#timer = setInterval(() => {
      if (samples++ % REFRESH_EVERY_SAMPLES === 0) tree.cpuSeconds();
      const memory = tree.memory();
      if (memory.resident > this.peak.resident) this.peak = memory;
      this.peakAnonymous = Math.max(this.peakAnonymous, memory.anonymous);
    }, SAMPLE_EVERY_MS);
  }

  /** @param targetGb of all resident memory */
  figures(targetGb: number): Figure[] {
    const { resident, rootResident, file } = this.peak;
    return [
      { name: "peak resident, all processes", value: resident / GB, unit: "GB", target: targetGb },
      { name: "  of it Node.js", value: rootResident / GB, unit: "GB" },
      { name: "  of it ClickHouse", value: (resident - rootResident) / GB, unit: "GB" },
      { name: "  of it mapped files", value: file / GB, unit: "GB" },
      { name: "peak anonymous and shared", value: this.peakAnonymous / GB, unit: "GB" },
    ];
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

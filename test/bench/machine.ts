// What the whole machine does: on a busy one CPU seconds grow, too, since caches and memory are shared.
import { readFileSync } from "node:fs";

const TICKS_A_SECOND = 100;

/** CPU seconds of all processes since the machine started, steal of the hypervisor included. */
export function machineCpuSeconds(): number {
  const [line = ""] = readFileSync("/proc/stat", "latin1").split("\n", 1);
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = line
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softIrq + steal) / TICKS_A_SECOND;
}

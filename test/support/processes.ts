// Looks at the process tree below a process, through /proc (Linux).
import { readdirSync, readFileSync } from "node:fs";

interface ProcessInfo {
  readonly pid: number;
  readonly parentPid: number;
  readonly isZombie: boolean;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // the process ended while we looked
  }
}

function listProcesses(): ProcessInfo[] {
  const processes: ProcessInfo[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readText(`/proc/${name}/stat`);
    if (stat === undefined) continue;
    // The command name stands in parentheses and may itself hold spaces and parentheses.
    const [state, parentPid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    processes.push({ pid: Number(name), parentPid: Number(parentPid), isZombie: state === "Z" });
  }
  return processes;
}

/** The living processes below `pid`, children before grandchildren, without `pid` itself. */
export function listDescendants(pid: number): number[] {
  const processes = listProcesses();
  const found: number[] = [];
  let parents = new Set([pid]);
  while (parents.size > 0) {
    const children = processes.filter(({ parentPid }) => parents.has(parentPid));
    found.push(...children.filter(({ isZombie }) => !isZombie).map((child) => child.pid));
    parents = new Set(children.map((child) => child.pid));
  }
  return found;
}

/** The command line, its arguments parted by blanks; empty when the process is gone. */
export function readCommandLine(pid: number): string {
  return (readText(`/proc/${pid}/cmdline`) ?? "").replaceAll("\0", " ").trim();
}

/** Resident memory of one process in bytes; 0 when it is gone. */
export function readResidentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`) ?? "");
  return match === null ? 0 : Number(match[1]) * 1024;
}

/** Signals a process and says whether it was there. */
export function signalIfAlive(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

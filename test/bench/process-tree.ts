// CPU seconds and resident memory of a process and all that it started, through /proc (Linux).
import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ, in which /proc counts time: 100 on every Linux that Node.js runs on. */
const TICKS_A_SECOND = 100;

interface ProcessStat {
  readonly pid: number;
  readonly parentPid: number;
  /** Together with the pid it names a process for good; a pid alone is used again. */
  readonly startTick: number;
  readonly ownTicks: number;
  /** Of children that ended and were waited for. */
  readonly waitedTicks: number;
}

/** Resident bytes; `file` counts mapped files, programs and libraries, which the kernel can drop. */
export interface Memory {
  readonly resident: number;
  /** The part of the root alone. */
  readonly rootResident: number;
  readonly anonymous: number;
  readonly file: number;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined; // the process ended while we looked
  }
}

function readStat(pid: number): ProcessStat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name stands in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    pid,
    parentPid: field(4),
    startTick: field(22),
    ownTicks: field(14) + field(15),
    waitedTicks: field(16) + field(17),
  };
}

function readAllStats(): ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== undefined);
}

/**
 * A tree of processes. Its CPU time only grows: what a child used that ended is in its parent's account once the parent
 * has waited for it, and what is in nobody's account, as after the kill of a parent, is remembered here.
 */
export class ProcessTree {
  readonly #rootPid: number;
  #members = new Map<number, ProcessStat>();
  #lostTicks = 0;

  constructor(rootPid: number) {
    this.#rootPid = rootPid;
    this.#refresh();
  }

  get pids(): readonly number[] {
    return [...this.#members.keys()];
  }

  /** User and system time of all members, and of all that ended, in seconds. */
  cpuSeconds(): number {
    this.#refresh();
    let ticks = this.#lostTicks;
    for (const { ownTicks, waitedTicks } of this.#members.values()) ticks += ownTicks + waitedTicks;
    return ticks / TICKS_A_SECOND;
  }

  /** Seconds of the root alone, without its children: the part of the program itself. */
  rootCpuSeconds(): number {
    return (this.#members.get(this.#rootPid)?.ownTicks ?? 0) / TICKS_A_SECOND;
  }

  /** Memory of the members that the last refresh found, summed. */
  memory(): Memory {
    let [resident, rootResident, anonymous, file] = [0, 0, 0, 0];
    for (const pid of this.#members.keys()) {
      const status = readText(`/proc/${pid}/status`) ?? "";
      const bytesOf = (name: string): number =>
        Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) * 1024;
      resident += bytesOf("VmRSS");
      if (pid === this.#rootPid) rootResident = bytesOf("VmRSS");
      anonymous += bytesOf("RssAnon") + bytesOf("RssShmem");
      file += bytesOf("RssFile");
    }
    return { resident, rootResident, anonymous, file };
  }

  #refresh(): void {
    const all = new Map(readAllStats().map((stat) => [stat.pid, stat]));
    const members = new Map<number, ProcessStat>();
    for (const [pid, before] of this.#members) {
      const now = all.get(pid);
      if (now?.startTick === before.startTick) members.set(pid, now);
    }
    const root = all.get(this.#rootPid);
    if (this.#members.size === 0 && root !== undefined) members.set(root.pid, root);
    for (let found = -1; found !== members.size;) {
      found = members.size;
      for (const stat of all.values()) if (members.has(stat.parentPid)) members.set(stat.pid, stat);
    }
    for (const [pid, before] of this.#members) {
      if (members.get(pid)?.startTick === before.startTick) continue;
      if (!members.has(before.parentPid)) this.#lostTicks += before.ownTicks + before.waitedTicks;
    }
    this.#members = members;
  }
}

// Tells whether an embedded ClickHouse still runs on a directory, and ends it when its service is gone.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const ownerSchema = z.object({
  pid: z.int().positive(),
  startedAt: z.string(),
  servicePid: z.int().positive(),
});

interface ProcessFacts {
  readonly parentPid: number;
  /** Opaque, but fixed for one process: a pid used again has another. */
  readonly startedAt: string;
  readonly command: string;
}

/** Records that the child `pid` of this process serves `dir`. */
export function recordServer(dir: string, pid: number): void {
  const facts = readProcess(pid);
  if (!facts) return;
  const owner = { pid, startedAt: facts.startedAt, servicePid: process.pid };
  writeFileSync(ownerPath(dir), JSON.stringify(owner), { mode: 0o600 });
}

/**
 * Makes the directory free if it can be done safely: a server whose service has died is killed
 * (its acknowledged inserts are on disk, and a clean exit would take it seconds).
 * Returns the pid of a server whose service is alive, else undefined.
 */
export function endOrphanedServer(dir: string): number | undefined {
  const owner = readOwner(dir);
  if (!owner) return undefined;
  const facts = readProcess(owner.pid);
  // the pid may have been given to another process since
  if (!facts || facts.startedAt !== owner.startedAt || !facts.command.includes(dir))
    return undefined;
  // an orphan is handed to another parent
  if (facts.parentPid === owner.servicePid) return owner.pid;
  process.kill(owner.pid, "SIGKILL");
  return undefined;
}

function ownerPath(dir: string): string {
  return join(dir, "server.pid");
}

function readOwner(dir: string): z.infer<typeof ownerSchema> | undefined {
  try {
    return ownerSchema.parse(JSON.parse(readFileSync(ownerPath(dir), "utf8")));
  } catch {
    // none yet, or torn by a crash: the lock of ClickHouse itself still guards the directory
    return undefined;
  }
}

function readProcess(pid: number): ProcessFacts | undefined {
  try {
    return process.platform === "linux" ? readProc(pid) : readPs(pid);
  } catch {
    return undefined;
  }
}

function readProc(pid: number): ProcessFacts | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // fields after the command's closing parenthesis: state, ppid, …, start time is the 20th
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, parentPid] = fields;
  if (state === "Z") return undefined;
  const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  return { parentPid: Number(parentPid), startedAt: fields[19] ?? "", command };
}

function readPs(pid: number): ProcessFacts | undefined {
  const text = execFileSync("ps", ["-ww", "-o", "ppid=,lstart=,command=", "-p", String(pid)], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  }).trim();
  // 501 Tue Nov 21 09:22:00 2026 /path/node …
  const match = /^(\d+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/s.exec(text);
  if (!match) return undefined;
  const [, parentPid, startedAt, command] = match;
  return { parentPid: Number(parentPid), startedAt: startedAt ?? "", command: command ?? "" };
}

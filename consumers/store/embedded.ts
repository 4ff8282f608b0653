// The store without a server of its own: a real ClickHouse as a supervised child process.
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve as resolvePath } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { LogboomError } from "../../schemas/errors.ts";
import { ServerChild, ServerStartError } from "./embedded-child.ts";
import {
  configPath,
  type EmbeddedConfig,
  readerUser,
  renderServerConfig,
  renderUsers,
  usersPath,
  writerUser,
} from "./embedded-config.ts";
import { findFreePort } from "./free-port.ts";
import { endOrphanedServer, recordServer } from "./server-owner.ts";

/** `starting`: spawned, not answering yet; `down`: ended, waiting to be started again. */
export type StoreState = "starting" | "up" | "down";

export interface StoreCredentials {
  readonly username: string;
  readonly password: string;
}

export interface EmbeddedStoreOptions {
  /** Where ClickHouse keeps its data; made when absent. One service a directory. */
  readonly dir: string;
  readonly logger: Logger;
  /** The database the users may use; migrations make it. Default `logboom`. */
  readonly database?: string;
  /** What ClickHouse may allocate; default 900 MiB. */
  readonly maxMemoryBytes?: number;
  /** How long to wait for another process to leave the directory; default 20 s. */
  readonly lockWaitMs?: number;
}

const mebibyte = 1024 * 1024;
const startAttempts = 3;
const lockRetryMs = 250;
// a child that was up for this long is started again at once
const stableMs = 2000;
const firstBackoffMs = 100;
const longestBackoffMs = 3000;
const closeGraceMs = 2000;

/**
 * Starts a ClickHouse on `dir` and keeps it running until close().
 * Throws LogboomError UNAVAILABLE when another service holds the directory or ClickHouse does not start.
 */
export async function startEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const store = new EmbeddedStore(options, await findFreePort());
  await store.start();
  return store;
}

export class EmbeddedStore {
  readonly dir: string;
  readonly database: string;
  readonly writer: StoreCredentials = newCredentials(writerUser);
  readonly reader: StoreCredentials = newCredentials(readerUser);
  readonly #logger: Logger;
  readonly #maxMemoryBytes: number;
  readonly #lockWaitMs: number;
  readonly #listeners = new Set<(state: StoreState) => void>();
  readonly #closing = new AbortController();
  #port: number;
  #state: StoreState = "starting";
  #child: ServerChild | undefined;
  #supervision: Promise<void> = Promise.resolve();

  constructor(options: EmbeddedStoreOptions, port: number) {
    this.dir = resolvePath(options.dir);
    this.database = options.database ?? "logboom";
    this.#logger = options.logger;
    this.#maxMemoryBytes = options.maxMemoryBytes ?? 900 * mebibyte;
    this.#lockWaitMs = options.lockWaitMs ?? 20_000;
    this.#port = port;
  }

  /** Stays the same over restarts of the child. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get state(): StoreState {
    return this.#state;
  }

  /** The child's process id, for tests and measurements. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Calls `listener` at each change of state; returns a function that ends it. */
  onStateChange(listener: (state: StoreState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Used by startEmbeddedStore only. */
  async start(): Promise<void> {
    const deadline = Date.now() + this.#lockWaitMs;
    let isWaiting = false;
    for (let attempt = 1; ;) {
      try {
        const child = await this.#startChild();
        this.#supervision = this.#supervise(child);
        return;
      } catch (error) {
        if (isLocked(error)) {
          if (Date.now() > deadline) throw lockedError(this.dir, error);
          if (!isWaiting) this.#logger.warn({ dir: this.dir }, "store directory is held; waiting");
          isWaiting = true;
          await sleep(lockRetryMs);
        } else {
          if (attempt++ >= startAttempts) throw startError(this.dir, error);
          // the likeliest cause that another attempt cures
          this.#port = await findFreePort();
        }
      }
    }
  }

  /** Ends the child. Close all clients first: ClickHouse waits for kept connections. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#child?.close(closeGraceMs);
    await this.#supervision;
    // A child that was just starting has ended unseen.
    this.#setState("down");
    this.#listeners.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #supervise(first: ServerChild): Promise<void> {
    let child: ServerChild | undefined = first;
    let backoffMs = 0;
    while (!this.#closing.signal.aborted) {
      const upSince = Date.now();
      if (child) {
        const { code, signal, output } = await child.exited;
        this.#child = undefined;
        this.#setState("down");
        if (this.#closing.signal.aborted) return;
        this.#logger.error({ code, signal, output }, "embedded store ended; starting it again");
        if (Date.now() - upSince > stableMs) backoffMs = 0;
      }
      try {
        await sleep(backoffMs, undefined, { signal: this.#closing.signal });
        backoffMs = Math.min(Math.max(backoffMs * 2, firstBackoffMs), longestBackoffMs);
        child = await this.#startChild();
      } catch (error) {
        child = undefined;
        this.#setState("down");
        if (this.#closing.signal.aborted) return;
        this.#logger.error({ err: error }, "embedded store does not start; trying again");
      }
    }
  }

  async #startChild(): Promise<ServerChild> {
    const ownerPid = endOrphanedServer(this.dir);
    if (ownerPid !== undefined) throw new DirectoryHeldError(ownerPid);
    this.#setState("starting");
    this.#writeFiles();
    const child = new ServerChild({ dir: this.dir, port: this.#port, ...this.writer });
    this.#child = child;
    recordServer(this.dir, child.pid);
    await child.waitUntilUp();
    // close() may have come while it started
    if (this.#closing.signal.aborted) await child.close(closeGraceMs);
    else this.#setState("up");
    return child;
  }

  #writeFiles(): void {
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    // ClickHouse keeps no system tables over a restart, and fails on their files
    rmSync(join(this.dir, "data", "system"), { recursive: true, force: true });
    const config: EmbeddedConfig = {
      dir: this.dir,
      database: this.database,
      maxMemoryBytes: this.#maxMemoryBytes,
      writerPassword: this.writer.password,
      readerPassword: this.reader.password,
    };
    writePrivate(configPath(this.dir), renderServerConfig(config));
    writePrivate(usersPath(this.dir), renderUsers(config));
  }

  #setState(state: StoreState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

class DirectoryHeldError extends Error {
  readonly pid: number;

  constructor(pid: number) {
    super(`process ${pid} holds the directory`);
    this.name = "DirectoryHeldError";
    this.pid = pid;
  }
}

function isLocked(error: unknown): boolean {
  return (
    error instanceof DirectoryHeldError || (error instanceof ServerStartError && error.isLocked)
  );
}

function lockedError(dir: string, cause: unknown): LogboomError {
  const holder = cause instanceof DirectoryHeldError ? `process ${cause.pid}` : "another process";
  return new LogboomError(
    "UNAVAILABLE",
    `cannot use the store directory "${dir}": ${holder} holds it`,
    {
      cause,
      details: { dir },
    },
  );
}

function startError(dir: string, cause: unknown): LogboomError {
  const reason = cause instanceof ServerStartError ? cause.exit.output : String(cause);
  return new LogboomError("UNAVAILABLE", `cannot start the store in "${dir}": ${reason}`, {
    cause,
    details: { dir },
  });
}

function newCredentials(username: string): StoreCredentials {
  return { username, password: randomBytes(24).toString("base64url") };
}

function writePrivate(path: string, text: string): void {
  // an older file keeps its mode: remove it first
  rmSync(path, { force: true });
  writeFileSync(path, text, { mode: 0o600 });
}

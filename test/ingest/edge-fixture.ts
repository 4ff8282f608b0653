// An edge over a log of its own, with a key of every kind that writes, and a look at what it has stored.
import express from "express";
import pino from "pino";
import { Acceptor } from "../../ingest/accept.ts";
import { createEdge } from "../../ingest/edge.ts";
import { startHttpServer } from "../../ingest/http-server.ts";
import { Limits } from "../../ingest/limits/limits.ts";
import { Usage } from "../../ingest/limits/usage.ts";
import { openRawDoors, type RawDoors } from "../../ingest/sockets/raw-doors.ts";
import { TokenStore, type Prefixes } from "../../ingest/tokens.ts";
import { readConfig } from "../../schemas/config.ts";
import { decodeContainer, type StoredEvent } from "../../schemas/event-codec.ts";
import { createInstruments, type Instruments } from "../../schemas/instruments.ts";
import { openTempLog, readFrom, type TempLog } from "./log/log-fixture.ts";

const prefixes: Prefixes = ["", "", "", ""];

/** Keys by kind; a test may send each where another is expected. */
export const keys = {
  loggly: "10000000-2222-3333-4444-555555555555",
  logglyApi: "20000000-2222-3333-4444-555555555555",
  logentries: "30000000-2222-3333-4444-555555555555",
  logentriesOther: "40000000-2222-3333-4444-555555555555",
  account: "50000000-2222-3333-4444-555555555555",
  logtrace: "lt_live_00000000000000000000000000000001",
  logtraceReadOnly: "lt_live_00000000000000000000000000000002",
  logtraceFew: "lt_live_00000000000000000000000000000003",
  logtraceQueued: "lt_live_00000000000000000000000000000004",
  scalyr: "scalyr-write-key-0000-",
  scalyrRead: "scalyr-read-key-0000-",
} as const;

export interface Edge extends AsyncDisposable {
  readonly temp: TempLog;
  readonly tokens: TokenStore;
  readonly instruments: Instruments;
  readonly url: string;
  readonly raw: RawDoors;
  /** Ends the raw doors and makes durable what they have received. */
  closeRaw(): Promise<void>;
  stored(): Promise<StoredEvent[]>;
  /** The value of a counter's or a gauge's series. */
  counted(name: string, labels: string): Promise<number>;
}

interface EdgeOptions {
  readonly maxLogBytes?: number;
  readonly maxConnections?: number;
  /** Another edge, whose log and keys are this one's, too; it is closed last. */
  readonly beside?: Edge;
  readonly now?: () => number;
}

export async function openEdge(
  environment: Record<string, string> = {},
  { maxLogBytes = 1e9, maxConnections = 10_000, beside, now }: EdgeOptions = {},
): Promise<Edge> {
  const config = readConfig({ LOGBOOM_LINGER_MS: "1", ...environment });
  const temp = beside?.temp ?? (await openTempLog({ maxBytes: maxLogBytes }));
  const tokens = await TokenStore.open(temp.log);
  if (beside === undefined) await createKeys(tokens);
  const instruments = createInstruments(false);
  const logger = pino({ level: "silent" });
  const usage = await Usage.open(temp.log, now === undefined ? {} : { now });
  const limits = new Limits(usage, now);
  const acceptor = new Acceptor({ config, log: temp.log, tokens, limits, instruments, logger });
  const app = express();
  app.use(createEdge(acceptor));
  const server = await startHttpServer(app, { host: "127.0.0.1", port: 0 });
  const raw = await openRawDoors({ config, acceptor, tokens, instruments, logger, maxConnections });
  let closing: Promise<void> | undefined;
  const closeRaw = (): Promise<void> => (closing ??= raw.close());
  return {
    temp,
    tokens,
    instruments,
    url: `http://127.0.0.1:${server.port}`,
    raw,
    closeRaw,
    stored: () => readStored(temp),
    counted: async (name, labels) => {
      const text = await instruments.registry.metrics();
      const line = text.split("\n").find((one) => one.startsWith(`${name}{${labels}} `));
      return Number(line?.split(" ").at(-1) ?? 0);
    },
    [Symbol.asyncDispose]: async () => {
      await closeRaw();
      await server.drain(1000);
      await acceptor.close();
      await usage.close();
      await tokens.close();
      if (beside === undefined) await temp[Symbol.asyncDispose]();
    },
  };
}

async function createKeys(tokens: TokenStore): Promise<void> {
  const shared = { customer: "acme", prefixes };
  await tokens.create({ ...shared, kind: "loggly-input", secret: keys.loggly });
  await tokens.create({ ...shared, kind: "loggly-api", secret: keys.logglyApi });
  await tokens.create({
    ...shared,
    kind: "logentries-log",
    id: "log-1",
    secret: keys.logentries,
    logset: "set",
    log: "app",
  });
  await tokens.create({
    ...shared,
    kind: "logentries-log",
    id: "log-2",
    secret: keys.logentriesOther,
    logset: "set",
    log: "other",
  });
  await tokens.create({
    ...shared,
    kind: "logentries-write",
    id: "account",
    secret: keys.account,
    prefixes: ["web", "", "", ""],
  });
  const environment = "production";
  await tokens.create({
    ...shared,
    kind: "logtrace",
    secret: keys.logtrace,
    environment,
    scopes: ["write:logs"],
  });
  await tokens.create({
    ...shared,
    kind: "logtrace",
    secret: keys.logtraceReadOnly,
    environment,
    scopes: ["read:logs"],
  });
  // One request an hour; what an enterprise key sends beyond it is queued.
  for (const [secret, tier] of [
    [keys.logtraceFew, "standard"],
    [keys.logtraceQueued, "enterprise"],
  ] as const) {
    await tokens.create({
      ...shared,
      kind: "logtrace",
      secret,
      environment,
      tier,
      scopes: ["write:logs"],
      limits: { ingest: 1 },
    });
  }
  await tokens.create({ ...shared, kind: "scalyr-write", secret: keys.scalyr });
  await tokens.create({ ...shared, kind: "scalyr-read", secret: keys.scalyrRead });
}

/** In the order of arrival. */
async function readStored(temp: TempLog): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let partition = 0; partition < 4; partition++) {
    for (const { value } of await readFrom(temp.log, partition)) {
      events.push(...decodeContainer(value));
    }
  }
  return events.toSorted((a, b) => (a.ingested < b.ingested ? -1 : 1));
}

// The raw ports that the configuration asks for, each with its protocol, its intake and its listeners.
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { ConfigError, readNamedFile, type Config } from "../../schemas/config.ts";
import type { Instruments } from "../../schemas/instruments.ts";
import type { TokenKind } from "../../schemas/token.ts";
import type { Acceptor } from "../accept.ts";
import { MemoryBudget } from "../memory-budget.ts";
import type { DropReason, LineProtocol, LineSink } from "../protocols/line-protocol.ts";
import { logentriesDataHub } from "../protocols/logentries-datahub.ts";
import { logentriesToken } from "../protocols/logentries-token.ts";
import { logglySyslog } from "../protocols/loggly-syslog.ts";
import { logtraceLogstash } from "../protocols/logtrace-logstash.ts";
import type { TokenStore } from "../tokens.ts";
import { Flows } from "./flows.ts";
import { Intake } from "./intake.ts";
import { KnownKeys } from "./known-keys.ts";
import { TcpListener, type TlsIdentity } from "./tcp-listener.ts";
import { UdpListener } from "./udp-listener.ts";

/** The vendor's Java client cuts lines there. */
const TOKEN_LINE_BYTES = 64 * 1024;
/** Room for what stands around a message of the largest size. */
const AROUND_MESSAGE_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 10_000;
/** Of the memory for ingest: what a door may hold, and the unfinished lines of its newcomers and of others. */
const INTAKE_SHARE = 1 / 16;
const PARTIAL_LINES_SHARE = 1 / 16;

interface RawDoorsOptions {
  readonly config: Config;
  readonly acceptor: Acceptor;
  readonly tokens: TokenStore;
  readonly instruments: Instruments;
  readonly logger: Logger;
  readonly maxConnections?: number;
}

interface RawDoor {
  readonly protocol: LineProtocol;
  readonly keyKinds: readonly TokenKind[];
  readonly maxLineBytes: number;
  readonly ports: readonly Port[];
}

interface Port {
  readonly variable: string;
  readonly port: number;
  readonly isTlsOnly?: boolean;
  readonly hasUdp?: boolean;
  /** In place of the door's. */
  readonly protocol?: LineProtocol;
}

/** What is open, and how to end it. */
export interface RawDoors {
  /** By the name of its variable. */
  readonly ports: Readonly<Record<string, number>>;
  readonly pendingBytes: number;
  /** Brings the count of lost datagrams up to date. */
  refresh(): void;
  /** Takes in what has been received, makes it durable, and ends every connection. */
  close(): Promise<void>;
}

/** @throws ConfigError for a certificate or a key that is none */
export async function openRawDoors(options: RawDoorsOptions): Promise<RawDoors> {
  const { config } = options;
  const tls = readIdentity(config);
  const open: ReturnType<typeof createDoor>[] = [];
  const ports: Record<string, number> = {};
  const close = async (): Promise<void> => {
    const timeoutMs = config.LOGBOOM_DRAIN_TIMEOUT_MS / 2;
    await Promise.all(
      open.map(async ({ intake, listeners }) => {
        await Promise.all(listeners.map((listener) => listener.close(timeoutMs)));
        await intake.close(timeoutMs);
      }),
    );
  };
  try {
    for (const door of doorsOf(config)) {
      const opened = createDoor(door, options);
      open.push(opened);
      for (const { variable, port, isTlsOnly, hasUdp, protocol } of door.ports) {
        const tcp = await opened.listenTcp(port, tls, isTlsOnly === true, protocol);
        ports[variable] = tcp.port;
        if (hasUdp === true) await opened.listenUdp(tcp.port);
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ports,
    get pendingBytes() {
      return open.reduce((sum, door) => sum + door.pendingBytes, 0);
    },
    refresh: () => {
      for (const listener of open.flatMap(({ listeners }) => listeners)) {
        if (listener instanceof UdpListener) listener.refresh();
      }
    },
    close,
  };
}

/** The doors with a port. */
function doorsOf(config: Config): RawDoor[] {
  const ports = (...given: (Omit<Port, "port"> & { port: number | undefined })[]): Port[] =>
    given.flatMap(({ port, ...rest }) => (port === undefined ? [] : [{ ...rest, port }]));
  const longLine = config.LOGBOOM_MAX_EVENT_BYTES + AROUND_MESSAGE_BYTES;
  return [
    {
      protocol: logentriesToken,
      keyKinds: ["logentries-log", "logentries-write", "write"] as const,
      maxLineBytes: Math.min(TOKEN_LINE_BYTES, config.LOGBOOM_MAX_EVENT_BYTES),
      ports: ports(
        {
          variable: "LOGBOOM_TOKEN_TCP_PORT",
          port: config.LOGBOOM_TOKEN_TCP_PORT,
          hasUdp: true,
        },
        {
          variable: "LOGBOOM_TOKEN_TLS_PORT",
          port: config.LOGBOOM_TOKEN_TLS_PORT,
          isTlsOnly: true,
        },
        ...(config.LOGBOOM_DATAHUB ?? []).map(({ port, token }, index) => ({
          variable: `LOGBOOM_DATAHUB[${index}]`,
          port,
          protocol: logentriesDataHub(token),
        })),
      ),
    },
    {
      protocol: logglySyslog,
      keyKinds: ["loggly-input", "write"] as const,
      maxLineBytes: longLine,
      ports: ports({ variable: "LOGBOOM_SYSLOG_PORT", port: config.LOGBOOM_SYSLOG_PORT }),
    },
    {
      protocol: logtraceLogstash(config.LOGBOOM_LOGSTASH_KEY),
      keyKinds: ["logtrace", "write"] as const,
      maxLineBytes: longLine,
      ports: ports({
        variable: "LOGBOOM_LOGSTASH_PORT",
        port: config.LOGBOOM_LOGSTASH_PORT,
        hasUdp: true,
      }),
    },
  ].filter((door) => door.ports.length > 0);
}

function createDoor({ protocol, keyKinds, maxLineBytes }: RawDoor, options: RawDoorsOptions) {
  const { config, acceptor, tokens, instruments, logger } = options;
  const { name: door } = protocol;
  const flows = new Flows();
  const onDrop = (reason: DropReason, count: number): void => {
    if (count > 0) instruments.logboom_ingest_dropped_events_total.inc({ door, reason }, count);
  };
  const intake = new Intake({
    door,
    acceptor,
    logger,
    lingerMs: config.LOGBOOM_LINGER_MS,
    maxBytes: config.LOGBOOM_INGEST_MEMORY_BYTES * INTAKE_SHARE,
    onDrop,
    onRoom: () => flows.release(),
  });
  const keys = new KnownKeys(tokens, keyKinds);
  const sink: LineSink = {
    find: (secret) => keys.find(secret),
    store: (principal, event, sizeBytes) => intake.add(principal, event, sizeBytes),
    drop: (reason) => instruments.logboom_ingest_dropped_events_total.inc({ door, reason }),
  };
  const isFull = () => intake.isFull;
  const { LOGBOOM_HOST: host } = config;
  const listeners: (TcpListener | UdpListener)[] = [];
  const counts = new Map<object, number>();
  const partialBytes = config.LOGBOOM_INGEST_MEMORY_BYTES * PARTIAL_LINES_SHARE;
  const partialLines = {
    proven: new MemoryBudget(partialBytes),
    newcomers: new MemoryBudget(partialBytes),
  };
  return {
    intake,
    listeners,
    get pendingBytes() {
      const { proven, newcomers } = partialLines;
      return intake.pendingBytes + proven.usedBytes + newcomers.usedBytes;
    },
    listenTcp: async (
      port: number,
      tls: TlsIdentity | undefined,
      isTlsOnly: boolean,
      portProtocol: LineProtocol = protocol,
    ): Promise<TcpListener> => {
      const id = {};
      const listener = await TcpListener.open({
        host,
        port,
        protocol: portProtocol,
        maxLineBytes,
        maxConnections: options.maxConnections ?? MAX_CONNECTIONS,
        tls,
        isTlsOnly,
        sink,
        isFull,
        flows,
        partialLines,
        onCount: (connections) => {
          counts.set(id, connections);
          const sum = [...counts.values()].reduce((one, other) => one + other, 0);
          instruments.logboom_socket_connections.set({ door }, sum);
        },
        onRefuse: () => instruments.logboom_socket_refused_connections_total.inc({ door }),
      });
      listeners.push(listener);
      return listener;
    },
    listenUdp: async (port: number): Promise<void> => {
      listeners.push(
        await UdpListener.open({
          host,
          port,
          protocol,
          sink,
          isFull,
          onLost: (count) => onDrop("receive-buffer", count),
        }),
      );
    },
  };
}

function readIdentity(config: Config): TlsIdentity | undefined {
  const { LOGBOOM_TLS_CERT: cert, LOGBOOM_TLS_KEY: key } = config;
  if (cert === undefined || key === undefined) return undefined;
  const identity = {
    cert: readNamedFile("LOGBOOM_TLS_CERT", cert),
    key: readNamedFile("LOGBOOM_TLS_KEY", key),
  };
  try {
    createSecureContext(identity);
  } catch (error) {
    const { message } = error as Error;
    throw new ConfigError([`LOGBOOM_TLS_CERT, LOGBOOM_TLS_KEY: cannot be used: ${message}`]);
  }
  return identity;
}

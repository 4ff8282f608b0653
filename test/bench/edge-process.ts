// An edge in a process of its own. Everything that was taken is durable when it has ended.
import { closeSync, openSync } from "node:fs";
import { findFreePort } from "../support/service.ts";
import type { EdgeState } from "./edge-program.ts";
import { MeasuredProcess } from "./measured-process.ts";
import { CUSTOMER, READ_TOKEN, WRITE_TOKEN } from "./service.ts";

export class EdgeProcess extends MeasuredProcess<EdgeState> {
  readonly url: string;
  readonly port: number;
  readonly tokenPort: number;
  readonly syslogPort: number;
  readonly logstashPort: number;

  /** @param dataDir of a service that is stopped, and will store what this edge takes */
  static async start(dataDir: string, logPath: string): Promise<EdgeProcess> {
    const ports = [];
    while (ports.length < 4) ports.push(await findFreePort());
    const log = openSync(logPath, "a");
    const edge = new EdgeProcess(ports, dataDir, log);
    closeSync(log);
    await edge.next();
    return edge;
  }

  private constructor(
    [port = 0, tokenPort = 0, syslogPort = 0, logstashPort = 0]: readonly number[],
    dataDir: string,
    log: number,
  ) {
    super("test/bench/edge-program.ts", log, {
      LOGBOOM_HOST: "127.0.0.1",
      LOGBOOM_PORT: String(port),
      LOGBOOM_TOKEN_TCP_PORT: String(tokenPort),
      LOGBOOM_SYSLOG_PORT: String(syslogPort),
      LOGBOOM_LOGSTASH_PORT: String(logstashPort),
      LOGBOOM_DATA_DIR: dataDir,
      LOGBOOM_CUSTOMER: CUSTOMER,
      LOGBOOM_WRITE_TOKEN: WRITE_TOKEN,
      LOGBOOM_READ_TOKEN: READ_TOKEN,
    });
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.tokenPort = tokenPort;
    this.syslogPort = syslogPort;
    this.logstashPort = logstashPort;
  }
}

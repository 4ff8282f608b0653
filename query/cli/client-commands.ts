// The commands that speak to a service over HTTP, from any machine; they need no data directory.
import { forwardUsage, runForwardCommand } from "./forward-command.ts";
import { importUsage, runImportCommand } from "./import-command.ts";
import { monitorUsage, runMonitorCommand } from "./monitor/monitor-command.ts";
import { queryUsage, runQueryCommand } from "./query-command.ts";

export const clientCommands: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> =
  {
    query: runQueryCommand,
    import: runImportCommand,
    forward: runForwardCommand,
    monitor: runMonitorCommand,
  };

export const clientUsage = `${queryUsage}
${importUsage}
${forwardUsage}
${monitorUsage}
    TOKEN is env://VAR, file:///PATH or the token itself; absent, L24_READ_TOKEN or L24_WRITE_TOKEN
    each takes --api http://HOST:PORT (http://127.0.0.1:7024); L24_CUSTOMER is the default of --customer`;

// Finds a loopback port for the embedded ClickHouse that no outgoing connection will take meanwhile.
import { createServer } from "node:net";
import { randomInt } from "node:crypto";

// below the ephemeral ranges of Linux (32768+) and macOS (49152+): a server that restarts gets it back
const lowestPort = 20_000;
const highestPort = 32_000;

/** A free TCP port of 127.0.0.1, chosen at random. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowestPort, highestPort);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

// One HTTP POST over connections that are kept, and a GET for the probes of operators.
import { Agent, request } from "node:http";

export interface Reply {
  readonly status: number;
  readonly retryAfterMs: number;
  readonly body: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 });

/** @param headers of the request; its length is added */
export function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer | string,
): Promise<Reply> {
  return send("POST", url, { ...headers, "content-length": Buffer.byteLength(body) }, body);
}

export function get(url: string): Promise<Reply> {
  return send("GET", url, {}, "");
}

async function send(...attempt: Parameters<typeof sendOnce>): Promise<Reply> {
  for (;;) {
    const reply = await sendOnce(...attempt);
    if (reply !== undefined) return reply;
  }
}

/** Undefined when the service had closed the idle connection, unseen by us: it never read the request. */
function sendOnce(
  method: string,
  url: string,
  headers: Record<string, string | number>,
  body: Buffer | string,
): Promise<Reply | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.once("error", reject);
      incoming.once("end", () => {
        resolve({
          status: incoming.statusCode ?? 0,
          retryAfterMs: Number(incoming.headers["retry-after"] ?? 1) * 1000,
          body: Buffer.concat(chunks).toString(),
        });
      });
    });
    outgoing.once("error", (error: NodeJS.ErrnoException) => {
      if (outgoing.reusedSocket && error.code === "ECONNRESET") resolve(undefined);
      else reject(error);
    });
    outgoing.end(body);
  });
}

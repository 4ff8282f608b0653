// Decompresses bzip2, which Node.js does not: libbz2 as WebAssembly, in a thread of its own, since a body may take it a
// second.
import { Worker } from "node:worker_threads";
import type { Bzip2Answer, Bzip2Order } from "./bzip2-worker.ts";
import { Turns } from "./turns.ts";

/** A thread that has nothing to do for so long ends, and gives its memory back, which never shrinks. */
const IDLE_MS = 10_000;

/** Bodies wait for each other, and nobody else for them. */
const turns = new Turns(1);
let thread: Thread | undefined;

/** @throws Error with the code ERR_BUFFER_TOO_LARGE when there is more than `maxOutputLength` */
export function decompressBzip2(
  body: Buffer,
  { maxOutputLength }: { readonly maxOutputLength: number },
): Promise<Buffer> {
  return turns.run(async () => {
    if (thread === undefined || thread.hasEnded) thread = new Thread();
    const answer = await thread.ask({ body, maxOutputLength });
    if ("decoded" in answer) {
      const { buffer, byteOffset, byteLength } = answer.decoded;
      return Buffer.from(buffer, byteOffset, byteLength);
    }
    const error = new Error(answer.fault);
    throw answer.isTooLarge ? Object.assign(error, { code: "ERR_BUFFER_TOO_LARGE" }) : error;
  });
}

class Thread {
  hasEnded = false;
  readonly #worker = new Worker(new URL("bzip2-worker.ts", import.meta.url));
  readonly #idle: NodeJS.Timeout;
  #asked: PromiseWithResolvers<Bzip2Answer> | undefined;

  constructor() {
    this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
    this.#worker.on("message", (answer: Bzip2Answer) => {
      // While it is idle it does not keep the process.
      this.#worker.unref();
      this.#idle.refresh();
      this.#asked?.resolve(answer);
      this.#asked = undefined;
    });
    this.#worker.on("error", (error: Error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("the thread for bzip2 ended")));
  }

  ask(order: Bzip2Order): Promise<Bzip2Answer> {
    this.#asked = Promise.withResolvers();
    this.#worker.ref();
    this.#worker.postMessage(order);
    return this.#asked.promise;
  }

  #end(): void {
    if (this.#asked !== undefined) return;
    this.hasEnded = true;
    void this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.hasEnded = true;
    clearTimeout(this.#idle);
    this.#asked?.reject(error);
    this.#asked = undefined;
  }
}

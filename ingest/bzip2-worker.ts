// The thread that decompresses bzip2, one body at a time.
import { parentPort } from "node:worker_threads";
import Bzip2 from "@foxglove/wasm-bz2";

export interface Bzip2Order {
  readonly body: Uint8Array;
  readonly maxOutputLength: number;
}

export type Bzip2Answer =
  { readonly decoded: Uint8Array } | { readonly fault: string; readonly isTooLarge: boolean };

const bzip2 = Bzip2.init();

parentPort?.on("message", (order: Bzip2Order) => {
  void decode(order).then((answer) => parentPort?.postMessage(answer));
});

async function decode({ body, maxOutputLength }: Bzip2Order): Promise<Bzip2Answer> {
  try {
    return { decoded: (await bzip2).decompress(body, maxOutputLength) };
  } catch (error) {
    const fault = String(error);
    return { fault, isTooLarge: fault.includes("BZ_OUTBUFF_FULL") };
  }
}

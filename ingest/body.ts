// Reads a request's body within its limits of size and time, and undoes its content encoding.
import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { LogboomError } from "../schemas/errors.ts";
import { decompressBzip2 } from "./bzip2.ts";
import { decompressLz4 } from "./lz4.ts";
import type { Reservation } from "./memory-budget.ts";
import { Turns } from "./turns.ts";

export interface BodyLimits {
  /** as sent */
  readonly sentBytes: number;
  /** after decompression */
  readonly decodedBytes: number;
  /** longest pause between two pieces */
  readonly pauseMs: number;
}

const decoders = {
  gzip: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip),
  // "deflate" is zlib-wrapped by RFC 9110, but some clients send it raw.
  deflate: (body: Buffer, options: zlib.ZlibOptions) =>
    ((body[0] ?? 0) & 0x0f) === 8
      ? promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflate)(body, options)
      : promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflateRaw)(body, options),
  br: promisify<Buffer, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress),
  zstd: promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress),
  bz2: decompressBzip2,
  lz4: decompressLz4,
} as const;

type Encoding = keyof typeof decoders;
/** Scalyr's agent names encodings as its configuration does. */
const aliases: Readonly<Record<string, Encoding>> = {
  "x-gzip": "gzip",
  zstandard: "zstd",
  bzip2: "bz2",
};
const encodingNames = ["identity", ...Object.keys(decoders)].join(", ");

/** Decompressions at a time: each may grow to the limit before its true size is known. */
const decodings = new Turns(4);

/**
 * @param response sends "100 Continue" if the client waits for it, once the declared size is known to fit
 * @param reservation takes the bytes that are held
 * @throws LogboomError TOO_LARGE, UNSUPPORTED_MEDIA, BODY_TIMEOUT, BAD_REQUEST (the encoding is corrupt)
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limits: BodyLimits,
  reservation: Reservation,
): Promise<Buffer> {
  const encoding = contentEncoding(request.headers["content-encoding"]);
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > limits.sentBytes) throw tooLarge("request body", declared, limits.sentBytes);
  if (request.headers.expect?.toLowerCase() === "100-continue") sayContinue(response);

  const sent = await collect(request, limits, reservation);
  if (encoding === undefined) {
    if (sent.length > limits.decodedBytes) {
      throw tooLarge("request body", sent.length, limits.decodedBytes);
    }
    return sent;
  }
  // A body that nobody sent is empty under any encoding.
  if (sent.length === 0) return sent;
  const decoded = await decode(sent, encoding, limits.decodedBytes);
  reservation.add(decoded.length);
  return decoded;
}

/** Not before its turn, where the answer to an earlier request is still to be sent: Node.js would put the head before it. */
function sayContinue(response: ServerResponse): void {
  if (response.socket !== null) response.writeContinue();
  else {
    response.once("socket", () => {
      if (!response.headersSent) response.writeContinue();
    });
  }
}

function contentEncoding(header: string | undefined): Encoding | undefined {
  const name = header?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity") return undefined;
  const encoding = Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name;
  if (Object.hasOwn(decoders, encoding)) return encoding as Encoding;
  throw new LogboomError(
    "UNSUPPORTED_MEDIA",
    `unknown content encoding "${name}"; expected one of ${encodingNames}`,
    { details: { field: "content-encoding", value: name } },
  );
}

function collect(
  request: IncomingMessage,
  limits: BodyLimits,
  reservation: Reservation,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const timer = setTimeout(() => {
      fail(
        new LogboomError(
          "BODY_TIMEOUT",
          `no byte of the request body arrived for ${limits.pauseMs} ms, after ${size} bytes`,
          { details: { limit: limits.pauseMs, received: size } },
        ),
      );
    }, limits.pauseMs);
    const onData = (piece: Buffer): void => {
      timer.refresh();
      size += piece.length;
      if (size > limits.sentBytes) {
        fail(tooLarge("request body", size, limits.sentBytes));
        return;
      }
      try {
        reservation.add(piece.length);
      } catch (error) {
        fail(error as Error);
        return;
      }
      pieces.push(piece);
    };
    const onEnd = (): void => {
      stop();
      resolve(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, size));
    };
    const onGone = (): void => {
      fail(new LogboomError("BAD_REQUEST", `the client went away after ${size} bytes of the body`));
    };
    const stop = (): void => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
    };
    request.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  });
}

async function decode(sent: Buffer, encoding: Encoding, maxBytes: number): Promise<Buffer> {
  try {
    const decoder = (): Promise<Buffer> => decoders[encoding](sent, { maxOutputLength: maxBytes });
    // bzip2 takes long, and has turns of its own.
    return await (encoding === "bz2" ? decoder() : decodings.run(decoder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new LogboomError(
        "TOO_LARGE",
        `the ${encoding} body of ${sent.length} bytes exceeds the limit of ${maxBytes} bytes when decompressed`,
        { details: { field: "body", limit: maxBytes }, cause: error },
      );
    }
    throw new LogboomError(
      "BAD_REQUEST",
      `cannot decompress the body of ${sent.length} bytes as ${encoding}: ${(error as Error).message}`,
      { details: { field: "body", encoding }, cause: error },
    );
  }
}

function tooLarge(what: string, size: number, limit: number): LogboomError {
  return new LogboomError(
    "TOO_LARGE",
    `the ${what} of ${size} bytes exceeds the limit of ${limit} bytes`,
    { details: { field: "body", value: size, limit } },
  );
}

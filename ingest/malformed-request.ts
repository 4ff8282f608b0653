// The answer to what is no HTTP request, or exceeds what the HTTP server itself allows.
import { STATUS_CODES } from "node:http";
import { errorCatalogue, LogboomError } from "../schemas/errors.ts";

/** Of a request's line and headers together: pixels and other GET ingest carry events in the URL. */
export const MAX_HEAD_BYTES = 64 * 1024;
/** A status of HTTP's own, which the catalogue does not need. */
const HEAD_TOO_LARGE = 431;

/** A whole reply, after which the connection ends. */
export function malformedReply(error: NodeJS.ErrnoException): string {
  const failure = failureOf(error);
  const isHead = failure.details["field"] === "head";
  const status = isHead ? HEAD_TOO_LARGE : errorCatalogue[failure.code].status;
  const { message, code, details } = failure;
  const body = JSON.stringify({ error: message, errorCode: code, details });
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    "",
    body,
  ].join("\r\n");
}

function failureOf(cause: NodeJS.ErrnoException & { readonly reason?: string }): LogboomError {
  switch (cause.code) {
    case "HPE_HEADER_OVERFLOW":
      return new LogboomError(
        "TOO_LARGE",
        `the request's line and headers exceed the limit of ${MAX_HEAD_BYTES} bytes`,
        { details: { field: "head", limit: MAX_HEAD_BYTES }, cause },
      );
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return new LogboomError("TOO_LARGE", "the extensions of a chunk of the body are too long", {
        details: { field: "body" },
        cause,
      });
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new LogboomError("BODY_TIMEOUT", "the request did not arrive in time", {
        details: { field: "request" },
        cause,
      });
    default:
      return new LogboomError(
        "BAD_REQUEST",
        `cannot read the request as HTTP/1.1: ${cause.reason ?? cause.message}`,
        { details: { field: "request", value: cause.code ?? "" }, cause },
      );
  }
}

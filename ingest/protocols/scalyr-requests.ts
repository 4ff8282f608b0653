// What Scalyr's ingest calls have in common: the token in a header, the largest request, the refusals.
import { errorCatalogue, type ErrorCode, type LogboomError } from "../../schemas/errors.ts";
import type { DoorRequest, Reply } from "./door.ts";

/** The largest request that any of the vendor's clients sends, 6 MB. */
export const MAX_REQUEST_BYTES = 6_291_456;

export function bearerToken(headers: DoorRequest["headers"]): string | undefined {
  return /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? "")?.[1];
}

/** A refusal as the vendor words it. */
export function scalyrRefusal(error: LogboomError, { headers }: DoorRequest): Reply {
  // A token of the wrong kind is no token for the vendor; only what a right one may not is 403.
  const isWrongKind = error.code === "NO_PERMISSION" && error.details["tokenKind"] !== undefined;
  const { status, text } = vendorStatus[isWrongKind ? "BAD_TOKEN" : error.code] ?? serverError;
  return {
    status: headers["errorstatus"] === "always200" ? 200 : status,
    body: {
      message: error.code === "TOO_LARGE" ? `requestTooLarge: ${error.message}` : error.message,
      status: text,
    },
  };
}

const serverError = { status: 500, text: "error/server" };

/** The vendor's HTTP codes and hierarchical statuses; an oversized request is a 400 there. */
const vendorStatus: Partial<Record<ErrorCode, { status: number; text: string }>> = {
  ...Object.fromEntries(
    (Object.keys(errorCatalogue) as ErrorCode[])
      .filter((code) => errorCatalogue[code].status < 500)
      .map((code) => [
        code,
        { status: errorCatalogue[code].status, text: "error/client/badParam" },
      ]),
  ),
  BAD_TOKEN: { status: 401, text: "error/client/noPermission" },
  NO_PERMISSION: { status: 403, text: "error/client/noPermission" },
  TOO_LARGE: { status: 400, text: "error/client/badParam/requestTooLarge" },
  RATE_LIMITED: { status: 429, text: "error/server/backoff" },
  OVERLOADED: { status: 503, text: "error/server/backoff" },
  UNAVAILABLE: { status: 503, text: "error/server/backoff" },
};

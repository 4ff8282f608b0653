// Logentries over HTTP: the whole body is one event of the log that the token in the path writes to.
import { errorCatalogue, LogboomError } from "../../schemas/errors.ts";
import type { Principal } from "../keys/permission.ts";
import type { Door, DoorRequest, IncomingEvent } from "./door.ts";
import { pixelReply } from "./pixel.ts";
import { wholeBody } from "./whole-body.ts";

/** The vendor's two paths; both keep the text as it is sent. Only UUIDs: /v1/logs/ingest is LogTrace's. */
const path = /^\/(?:v1|noformat)\/logs\/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\/?$/i;

export const logentriesDoor = {
  name: "logentries",
  path: "/v1/logs/{token}",
  pattern: path,
  methods: ["POST", "GET"],
  isForBrowsers: true,
  keyKinds: ["logentries-log", "write"],
  secret: (request) => path.exec(request.path)?.[1],
  idempotencyKey: () => undefined,
  read: (request, body, principal) => {
    const message = request.method === "GET" ? pixelMessage(request) : wholeBody(body);
    return {
      events: message.length === 0 ? [] : [{ ...logentriesLabels(principal), message }],
      mending: "labels",
    };
  },
  accepted: (_, { method }) => (method === "GET" ? pixelReply : { status: 204 }),
  refused: (error) => {
    const { status } = errorCatalogue[error.code];
    return { status, body: { errorCode: status, message: error.message } };
  },
} satisfies Door;

/** What all events have of the log that a key writes to. */
export function logentriesLabels(principal: Principal): Omit<IncomingEvent, "message"> {
  return {
    prefix0: principal.logset,
    prefix1: principal.log,
    prefix3: "logentries",
    attributes: { log_id: principal.tokenId },
  };
}

/** base64, or its form for addresses; Node.js reads both. */
function pixelMessage({ query }: DoorRequest): Buffer {
  // An address has no plus: where it is not encoded, it arrives as a blank.
  const encoded = query.get("e")?.replaceAll(" ", "+") ?? "";
  const message = Buffer.from(encoded, "base64");
  if (message.length > 0) return message;
  throw new LogboomError("BAD_REQUEST", 'no event in "e"; expected its text as base64', {
    details: { field: "e", value: encoded.slice(0, 100) },
  });
}

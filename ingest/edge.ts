// The ingest edge: finds the door of a request by its path, before any other route is looked at.
import type { RequestHandler } from "express";
import type { Acceptor } from "./accept.ts";
import type { Door } from "./protocols/door.ts";
import { logentriesDoor } from "./protocols/logentries.ts";
import { logglyBulkDoor, logglyInputsDoor, logglyPixelDoor } from "./protocols/loggly.ts";
import { logtraceDoor } from "./protocols/logtrace.ts";
import { nativeDoor } from "./protocols/native.ts";
import { scalyrAddEventsDoor } from "./protocols/scalyr-add-events.ts";
import { scalyrUploadLogsDoor } from "./protocols/scalyr-upload-logs.ts";

/** Every way in over HTTP. */
export const doors: readonly Door[] = [
  nativeDoor,
  scalyrUploadLogsDoor,
  scalyrAddEventsDoor,
  logtraceDoor,
  logglyPixelDoor,
  logglyInputsDoor,
  logglyBulkDoor,
  logentriesDoor,
];

/** A plain path wins over a pattern: `/v1/logs/ingest` is not the log "ingest". */
const byPath = new Map(
  doors.filter(({ pattern }) => pattern === undefined).map((door) => [door.path, door]),
);
const byPattern = doors.flatMap((door) =>
  door.pattern === undefined ? [] : [{ pattern: door.pattern, door }],
);

/** Every method of a door's path goes to the door, so that a refusal has its own shape. */
export function createEdge(acceptor: Acceptor): RequestHandler {
  return async (request, response, next) => {
    const door = findDoor(request.path);
    if (door === undefined) next();
    else await acceptor.accept(door, request, response);
  };
}

function findDoor(path: string): Door | undefined {
  return (
    byPath.get(path.endsWith("/") ? path.slice(0, -1) : path) ??
    byPattern.find(({ pattern }) => pattern.test(path))?.door
  );
}

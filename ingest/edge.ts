// The ingest edge: every door mounted on an Express router.
import { Router } from "express";
import type { Acceptor } from "./accept.ts";
import type { Door } from "./protocols/door.ts";
import { nativeDoor } from "./protocols/native.ts";
import { scalyrUploadLogsDoor } from "./protocols/scalyr-upload-logs.ts";

const doors: readonly Door[] = [nativeDoor, scalyrUploadLogsDoor];

/** Every method of a door's path goes to the door, so that a refusal has its own shape. */
export function createEdge(acceptor: Acceptor): Router {
  const router = Router();
  for (const door of doors) {
    router.all(door.path, (request, response) => acceptor.accept(door, request, response));
  }
  return router;
}

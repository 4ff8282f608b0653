// Decoded events back into Avro, for the few that are stored one by one.
import type { EncodedEvents, StoredEvent } from "../schemas/event-codec.ts";
import { EventWriter } from "../schemas/event-writer.ts";

export function writeEvents(events: readonly StoredEvent[]): EncodedEvents {
  const writer = new EventWriter();
  for (const event of events) writer.write(event);
  return writer.take();
}

// The answer to an event that came as the address of an image.
import type { Reply } from "./door.ts";

/** One transparent pixel. */
const gif = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");

export const pixelReply: Reply = { status: 200, body: gif, contentType: "image/gif" };

// What a protocol of lines over a raw connection has to say: a handler for each connection's lines.
import type { Principal } from "../keys/permission.ts";
import type { DoorName, IncomingEvent } from "./door.ts";

/** Why a received event is not stored; nobody is told, as such a connection answers nothing. */
export type DropReason =
  | "malformed"
  | "unknown-key"
  | "forbidden"
  | "too-long"
  | "overloaded"
  /** A datagram that came while the kernel's buffer was full. */
  | "receive-buffer"
  | "stopped";

/** Where a connection's events go. */
export interface LineSink {
  /** Who a secret is of, if it is good for this. */
  find(secret: string): Principal | undefined;
  store(principal: Principal, event: IncomingEvent, sizeBytes: number): void;
  drop(reason: DropReason): void;
}

/**
 * Takes one line without its line break.
 *
 * @param isContinuation whether it goes on with the line before, which was longer than allowed
 */
export type LineHandler = (line: Buffer, isContinuation: boolean) => void;

export interface LineProtocol {
  readonly name: DoorName;
  /** "split" makes several lines of a longer one, "cut" keeps its beginning, "drop" nothing. */
  readonly overflow: "split" | "cut" | "drop";
  /** Whether a message may have its length in front instead of a line break behind (RFC 6587). */
  readonly countsOctets?: boolean;
  /** Whether nothing of a line's bytes is needed once its handler has returned; else they may be kept for a while. */
  readonly keepsNoBytes?: boolean;
  /** The handler of a new connection, or of the datagrams of a port. */
  open(sink: LineSink): LineHandler;
}

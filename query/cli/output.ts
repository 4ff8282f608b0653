// What a command prints, also into a pipe that somebody closes.
import { once } from "node:events";

/** Writes to stdout and waits while the reader is behind. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

/** A line on stderr about what goes on. */
export function tell(text: string): void {
  process.stderr.write(`logboom: ${text}\n`);
}

/** `logboom query … | head` is no failure: whoever read has enough. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

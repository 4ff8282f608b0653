// How the command line's calls are read.
import { parseArgs, type ParseArgsConfig } from "node:util";

/** A call that cannot be taken; the usage is shown with it. */
export class UsageError extends Error {}

/** @throws UsageError for options that the call does not have. */
export function parseCall<Options extends ParseArgsConfig>(options: Options) {
  try {
    return parseArgs(options);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

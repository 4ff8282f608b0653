// The shapes of the search API, for the API description.
import { z } from "zod";

const timestamp = "YYYY-MM-DD[T ]HH:MM:SS[.f][Z|+HH:MM]; without an offset UTC";

export const searchForm = z.object({
  customer: z.string(),
  prefix0: z.string().optional().describe("streams whose prefix0 starts with this"),
  prefix1: z.string().optional(),
  prefix2: z.string().optional(),
  prefix3: z.string().optional(),
  type: z
    .enum([
      "UNSORTED_RESULTS",
      "BACKWARD_RESULTS",
      "EXACT_COUNTS_BINNED",
      "EXACT_XY_HISTOGRAM_BINNED",
      "BACKWARD_RESULTS_ONE_PER_KEY31",
    ])
    .default("UNSORTED_RESULTS"),
  limit: z.int().min(1).max(10_000).default(100),
  beginTime: z.string().default("1970-01-01 01:00:00").describe(`inclusive; ${timestamp}`),
  endTime: z.string().default("2254-07-22 01:34:33").describe(`exclusive; ${timestamp}`),
  timeBins: z.int().min(1).max(4_096).default(1),
  regex: z.string().max(100_000).describe("matches the whole event"),
  xSplits: z.string().default("").describe("ascending numbers separated by commas"),
  ySplits: z.string().default("").describe("ascending numbers separated by commas"),
  wait: z
    .int()
    .min(0)
    .max(10_000)
    .default(0)
    .describe("ms to wait for what was acknowledged before the request to be searchable"),
  dryRun: z.boolean().default(false).describe("answers what would be read, and reads nothing"),
});

export const searchReply = z.object({
  fullHash: z.string().describe("SHA-256 of the canonical parameters, upper-case hex"),
  events: z.array(
    z.object({
      time: z.string().describe("ns since the epoch"),
      context: z.number().int().describe("index into contexts"),
      message: z.string(),
      key: z.string().optional(),
    }),
  ),
  contexts: z.array(
    z.object({
      customer: z.string(),
      prefix0: z.string(),
      prefix1: z.string(),
      prefix2: z.string(),
      prefix3: z.string(),
      count: z.number().int().optional().describe("only of the two count types"),
    }),
  ),
  counts: z.array(z.number().int()).describe("counts[(t * X + ix) * Y + iy]"),
  totalBlocks: z.number().int().describe("blocks of the customer"),
  relevantBlocks: z.number().int(),
  scannedBlocks: z.number().int(),
  failedBlocks: z.number().int(),
  scannedBytes: z.number().int(),
  scanProgress: z.number().int().describe("0 to 4294967296"),
  complete: z.boolean().describe("the result is fully computed"),
  stopped: z.boolean().describe("scanning has ceased"),
  searchableUntil: z
    .string()
    .nullable()
    .describe("ns since the epoch: everything acknowledged before is searched"),
  error: z.string().nullable(),
  errorCode: z.string().nullable(),
  bytesToScan: z.number().int().optional().describe("only of a dry run: message bytes to read"),
  relevantBytes: z
    .number()
    .int()
    .optional()
    .describe("only of a dry run: message bytes in the relevant blocks"),
});

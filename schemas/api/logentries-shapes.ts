// Shapes of Logentries' REST API.
import { z } from "zod";

const ms = z.number().int().describe("ms since the epoch");
const link = z.object({
  rel: z.string().describe('"Self" of a query that runs, "Next" of a further page, "Context"'),
  href: z.string().describe("absolute; it holds all it needs"),
});
const during = z.object({
  from: ms.nullish(),
  to: ms.nullish(),
  time_range: z.string().nullish().describe("today, yesterday, last 10 minutes …"),
});
export const leql = z.object({ statement: z.string().describe("LEQL"), during: during.optional() });
export const event = z.object({
  labels: z.array(z.unknown()),
  timestamp: ms,
  sequence_number: z.number().int(),
  sequence_number_str: z.string().describe("the same, for those whose numbers are doubles"),
  log_id: z.string(),
  message: z.string(),
  links: z.array(link),
});
const figures = z.record(z.string(), z.number().nullable());
const statistics = z.object({
  from: ms,
  to: ms,
  count: z.number().int().describe("events"),
  type: z.string().describe("what is calculated"),
  cardinality: z.number().int().describe("groups"),
  granularity: z.number().int().describe("ms of a slice of time"),
  stats: z.record(z.string(), figures),
  timeseries: z.record(z.string(), z.array(figures)),
  groups: z.array(z.record(z.string(), figures)),
  status: z.literal(200),
});
export const answer = z.object({
  logs: z.array(z.string()),
  leql: leql.optional(),
  events: z.array(event).optional(),
  statistics: statistics.optional(),
  id: z.string().optional().describe("while it runs"),
  progress: z.number().optional().describe("percent, while it runs"),
  query: leql.optional(),
  links: z.array(link).optional().describe("Self while it runs, Next before a further page"),
});
export const ids = z.array(z.object({ id: z.string() }));
const named = z.object({ id: z.string(), name: z.string() });
export const log = z.object({
  id: z.string(),
  name: z.string(),
  tokens: z.array(z.string()).describe("ids; the secret only in the answer that made it"),
  logsets_info: z.array(named),
  source_type: z.string(),
  structures: z.array(z.unknown()),
  user_data: z.object({}),
});
export const logset = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  logs_info: z.array(named),
  user_data: z.object({}),
});
export const user = z.object({
  id: z.string(),
  first_name: z.string(),
  last_name: z.string(),
  login_name: z.string(),
  email: z.string().nullable(),
  last_login: z.string().nullable(),
});
export const apikey = z.object({
  id: z.string(),
  name: z.string(),
  key_type: z.enum(["ro", "rw", "owner"]),
  active: z.boolean(),
  created_at: z.iso.datetime(),
  owner: z.null(),
  api_key: z.string().optional().describe("the secret, in the answer that made the key"),
});
export const savedQuery = z.object({
  name: z.string(),
  leql,
  logs: z.array(z.string()).optional(),
});
export const shownQuery = savedQuery.extend({ id: z.string() });
export const kept = z.looseObject({ id: z.string(), name: z.string() });
export const given = z.looseObject({ name: z.string() });

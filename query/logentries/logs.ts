// Management of logs and logsets.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { LogboomError } from "../../schemas/errors.ts";
import { labelName } from "../../schemas/token.ts";
import type { Reply } from "../exchange/exchange.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { invalid, notFound, readWrapped, uuidOf, type Asked } from "./access.ts";
import { NO_LOGSET, type Catalog, type KnownLog, type KnownLogset } from "./catalog.ts";

type Options = Pick<VendorOptions, "records" | "tokens"> & { readonly catalog: Catalog };

const references = z.array(z.object({ id: z.string() })).max(1_000);
const logInput = z.object({
  name: labelName,
  logsets_info: references.default([]),
  source_type: z.enum(["token", "api", "AGENT", "agent", "SYSLOG", "syslog"]).default("token"),
});
const logsetInput = z.object({
  name: labelName,
  description: z.string().max(1_000).default(""),
  logs_info: references.default([]),
});

export async function listLogs({ catalog }: Options, { principal }: Asked): Promise<Reply> {
  const [logs, sets] = await Promise.all([catalog.logs(principal), catalog.logsets(principal)]);
  return { json: { logs: logs.map((log) => showLog(log, sets)) } };
}

export async function showOneLog(options: Options, asked: Asked): Promise<Reply> {
  const log = await findLog(options, asked);
  return { json: { log: showLog(log, await options.catalog.logsets(asked.principal)) } };
}

/** Makes a log and a token that writes to it; the token's secret is shown this once. */
export async function createLog(options: Options, asked: Asked): Promise<Reply> {
  const { catalog, tokens } = options;
  const { principal } = asked;
  const input = parse(logInput, readWrapped(asked, "log"));
  const sets = await namesOf(options, asked, input.logsets_info);
  const labels = { logset: sets[0] ?? NO_LOGSET, log: input.name };
  const known = await catalog.logs(principal);
  if (known.some((log) => log.labels.logset === labels.logset && log.labels.log === labels.log)) {
    throw invalid(["name"], `the logset "${labels.logset}" has a log "${labels.log}" already`);
  }
  const id = await catalog.put(principal, {
    name: input.name,
    labels,
    logsets: sets,
    sourceType: input.source_type,
  });
  const { secret } = await tokens.create({
    kind: "logentries-log",
    customer: principal.customer,
    prefixes: ["", "", "", ""],
    ...labels,
  });
  const [log] = await catalog.find(principal, [id]);
  const shown = showLog(log as KnownLog, await catalog.logsets(principal));
  return { status: 201, json: { log: { ...shown, tokens: [secret] } } };
}

/** A new name, or other logsets; events stay with the log. */
export async function changeLog(options: Options, asked: Asked): Promise<Reply> {
  const { catalog } = options;
  const log = await findLog(options, asked);
  const input = parse(logInput, { name: log.name, ...readWrapped(asked, "log") });
  const given = readWrapped(asked, "log");
  const logsets =
    given["logsets_info"] === undefined
      ? log.logsets
      : await namesOf(options, asked, input.logsets_info);
  const { labels } = log;
  const sourceType = given["source_type"] === undefined ? log.sourceType : input.source_type;
  await catalog.put(
    asked.principal,
    { name: input.name, labels, logsets: [...logsets], sourceType },
    log.id,
  );
  return showOneLog(options, asked);
}

/** Its tokens write no more; its events are kept for the retention, but not shown. */
export async function deleteLog(options: Options, asked: Asked): Promise<Reply> {
  const { catalog, tokens } = options;
  const log = await findLog(options, asked);
  for (const token of log.tokens) await tokens.revoke(token);
  const { name, labels, logsets, sourceType } = log;
  await catalog.put(
    asked.principal,
    { name, labels, logsets: [...logsets], sourceType, isDeleted: true },
    log.id,
  );
  return { status: 204 };
}

export async function listLogsets({ catalog }: Options, { principal }: Asked): Promise<Reply> {
  return { json: { logsets: (await catalog.logsets(principal)).map(showLogset) } };
}

export async function showOneLogset(options: Options, asked: Asked): Promise<Reply> {
  return { json: { logset: showLogset(await findLogset(options, asked)) } };
}

export async function createLogset(options: Options, asked: Asked): Promise<Reply> {
  const { catalog, records } = options;
  const { principal } = asked;
  const input = parse(logsetInput, readWrapped(asked, "logset"));
  await requireNewName(options, asked, input.name);
  await requireMembers(options, asked, input.logs_info);
  const id = uuidOf("logset", principal.customer, input.name, randomUUID());
  await putLogset(records, asked, id, input);
  await putMembers(options, asked, input.name, input.logs_info);
  const created = (await catalog.logsets(principal)).find((set) => set.id === id);
  return { status: 201, json: { logset: showLogset(created as KnownLogset) } };
}

export async function changeLogset(options: Options, asked: Asked): Promise<Reply> {
  const { catalog, records } = options;
  const set = await findLogset(options, asked);
  const given = readWrapped(asked, "logset");
  const input = parse(logsetInput, { name: set.name, description: set.description, ...given });
  if (input.name !== set.name) await requireNewName(options, asked, input.name);
  const members = given["logs_info"] === undefined ? set.logs : input.logs_info;
  await requireMembers(options, asked, members);
  // A new name is no longer the one its logs had: they are told, and keep the labels of their events.
  for (const log of set.logs)
    await move(catalog, asked, log, (names) => names.filter((name) => name !== set.name));
  await putLogset(records, asked, set.id, input);
  await putMembers(options, asked, input.name, members);
  const changed = (await catalog.logsets(asked.principal)).find(({ id }) => id === set.id);
  return { json: { logset: showLogset(changed as KnownLogset) } };
}

/** Its logs stay. */
export async function deleteLogset(options: Options, asked: Asked): Promise<Reply> {
  const { catalog, records } = options;
  const set = await findLogset(options, asked);
  for (const log of set.logs) {
    await move(catalog, asked, log, (names) => names.filter((name) => name !== set.name));
  }
  await records.delete(
    { customer: asked.principal.customer, collection: "logentries-logset" },
    set.id,
  );
  return { status: 204 };
}

async function findLog({ catalog }: Options, { principal, exchange }: Asked): Promise<KnownLog> {
  const id = exchange.params["id"] ?? "";
  const [log] = await catalog.find(principal, [id]);
  if (log === undefined) throw notFound("log", id);
  return log;
}

async function findLogset(
  { catalog }: Options,
  { principal, exchange }: Asked,
): Promise<KnownLogset> {
  const id = exchange.params["id"] ?? "";
  const set = (await catalog.logsets(principal)).find((one) => one.id === id);
  if (set === undefined) throw notFound("logset", id);
  return set;
}

async function namesOf(
  { catalog }: Options,
  { principal }: Asked,
  sets: readonly { readonly id: string }[],
): Promise<string[]> {
  const known = await catalog.logsets(principal);
  return sets.map(({ id }) => {
    const set = known.find((one) => one.id === id);
    if (set === undefined) {
      const shown = id.slice(0, 100);
      throw invalid(
        ["logsets_info"],
        `unexpected "${shown}" in "logsets_info"; there is no such logset`,
      );
    }
    return set.name;
  });
}

async function requireNewName(
  { catalog }: Options,
  { principal }: Asked,
  name: string,
): Promise<void> {
  const sets = await catalog.logsets(principal);
  if (sets.some((set) => set.name === name)) {
    throw invalid(["name"], `there is a logset "${name}" already`);
  }
}

/** A logset is written with all of its logs, or not at all. */
async function requireMembers(
  { catalog }: Options,
  { principal }: Asked,
  members: readonly { readonly id: string }[],
): Promise<void> {
  try {
    await catalog.find(
      principal,
      members.map(({ id }) => id),
    );
  } catch (error) {
    if (!(error instanceof LogboomError) || error.code !== "NOT_FOUND") throw error;
    throw invalid(["logs_info"], `unexpected value in "logs_info": ${error.message}`);
  }
}

async function putLogset(
  records: VendorOptions["records"],
  { principal }: Asked,
  id: string,
  { name, description }: z.infer<typeof logsetInput>,
): Promise<void> {
  const place = { customer: principal.customer, collection: "logentries-logset" } as const;
  await records.put(place, id, { name, description });
}

async function putMembers(
  { catalog }: Options,
  asked: Asked,
  name: string,
  members: readonly { readonly id: string }[],
): Promise<void> {
  const logs = await catalog.find(
    asked.principal,
    members.map(({ id }) => id),
  );
  for (const log of logs)
    await move(catalog, asked, log, (names) => [...new Set([...names, name])]);
}

async function move(
  catalog: Catalog,
  { principal }: Asked,
  { id, name, labels, logsets, sourceType }: KnownLog,
  change: (names: readonly string[]) => string[],
): Promise<void> {
  await catalog.put(principal, { name, labels, logsets: change(logsets), sourceType }, id);
}

function showLog(
  { id, name, logsets, sourceType, tokens }: KnownLog,
  sets: readonly KnownLogset[],
) {
  return {
    id,
    name,
    tokens,
    logsets_info: sets
      .filter((set) => logsets.includes(set.name))
      .map((set) => ({ id: set.id, name: set.name })),
    source_type: sourceType,
    structures: [],
    user_data: {},
  };
}

function showLogset({ id, name, description, logs }: KnownLogset) {
  return {
    id,
    name,
    description,
    logs_info: logs.map((log) => ({ id: log.id, name: log.name })),
    user_data: {},
  };
}

function parse<Output>(schema: z.ZodType<Output>, given: unknown): Output {
  const { data, error } = schema.safeParse(given);
  if (data !== undefined) return data;
  const [issue] = error?.issues ?? [];
  const field = String(issue?.path[0] ?? "body");
  throw invalid([field], `unexpected value in "${field}": ${issue?.message ?? ""}`);
}

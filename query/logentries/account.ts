// The account, its API keys, its users and how much it stores.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { denied, type Principal } from "../../ingest/keys/permission.ts";
import type { TokenKind, TokenRecord } from "../../schemas/token.ts";
import { parseTimestamp } from "../../schemas/time.ts";
import { readRows } from "../ask/rows.ts";
import type { Reply } from "../exchange/exchange.ts";
import { badParameter, textParameter } from "../exchange/parameters.ts";
import type { VendorOptions } from "../exchange/vendor-options.ts";
import { accountOf, invalid, notFound, readWrapped, type Asked } from "./access.ts";
import { DOOR } from "./catalog.ts";

type Options = Pick<VendorOptions, "records" | "tokens" | "config" | "store">;

const NS_PER_DAY = 86_400_000_000_000n;
const DAY_MS = 86_400_000;
const MAX_DAYS = 3_660;

/** @throws LogboomError NOT_FOUND for another account than the customer's. */
export function requireAccount(
  { tokens }: Pick<Options, "tokens">,
  { principal, exchange }: Asked,
): string {
  const asked = exchange.params["account"] ?? "";
  const own = principal.account ?? accountOf(tokens, principal.customer);
  if (asked.toLowerCase() !== own.toLowerCase()) throw notFound("account", asked);
  return own;
}

export function showAccount(options: Options, asked: Asked): Reply {
  const { customer } = asked.principal;
  const days = options.config.LOGBOOM_RETENTION_DAYS;
  const [user] = options.records.list(usersOf(asked.principal));
  return {
    json: {
      id: requireAccount(options, asked),
      name: customer,
      organization: customer,
      email: user === undefined ? null : (user.value as { email: string }).email,
      retention_period: days,
      max_retention_period: days,
    },
  };
}

const userInput = z.object({
  email: z.string().regex(/^[^\s@]+@[^\s@]+$/, "must be an address"),
  first_name: z.string().max(200).default(""),
  last_name: z.string().max(200).default(""),
});
type User = z.infer<typeof userInput>;

export function listUsers({ records }: Options, { principal }: Asked): Reply {
  const users = records
    .list(usersOf(principal))
    .map(({ id, value }) => showUser(id, value as User));
  return { json: { users } };
}

/** Owners are those who hold owner keys: the service knows the keys, not the people. */
export function listOwners({ tokens }: Options, { principal: { customer } }: Asked): Reply {
  const owners = keysOf(tokens, customer)
    .filter(({ kind }) => kind === "logentries-owner")
    .map(({ id }) => ({
      id,
      first_name: "",
      last_name: "",
      login_name: id,
      email: null,
      last_login: null,
    }));
  return { json: { owners, users: owners } };
}

export function showOneUser({ records }: Options, { principal, exchange }: Asked): Reply {
  const id = exchange.params["id"] ?? "";
  const user = records.find(usersOf(principal), id);
  if (user === undefined) throw notFound("user", id);
  return { json: { user: showUser(id, user.value as User) } };
}

export async function createUser({ records }: Options, asked: Asked): Promise<Reply> {
  const place = usersOf(asked.principal);
  const { data, error } = userInput.safeParse(readWrapped(asked, "user"));
  if (data === undefined) {
    const field = String(error.issues[0]?.path[0] ?? "user");
    throw invalid([field], `unexpected value in "${field}": ${error.issues[0]?.message ?? ""}`);
  }
  const known = records.list(place).find(({ value }) => (value as User).email === data.email);
  if (known !== undefined) throw invalid(["email"], `there is a user "${data.email}" already`);
  const id = randomUUID();
  await records.put(place, id, data);
  return { status: 201, json: { user: showUser(id, data) } };
}

/** The vendor adds a user of another account so; here users are of one account, and this one is there or not. */
export function addUser(options: Options, asked: Asked): Reply {
  refuseOwner(options, asked);
  return showOneUser(options, asked);
}

export async function deleteUser(options: Options, asked: Asked): Promise<Reply> {
  const { records } = options;
  const { principal, exchange } = asked;
  refuseOwner(options, asked);
  const id = exchange.params["id"] ?? "";
  if (!(await records.delete(usersOf(principal), id))) throw notFound("user", id);
  return { status: 204 };
}

/** The vendor's 403 for who is added or deleted and owns the account. */
function refuseOwner({ tokens }: Options, { principal, exchange }: Asked): void {
  const id = exchange.params["id"] ?? "";
  const isOwner = keysOf(tokens, principal.customer).some(
    (key) => key.id === id && key.kind === "logentries-owner",
  );
  if (isOwner) throw denied("NO_PERMISSION", "wrong-kind", "this user is the account's owner");
}

function showUser(id: string, { email, first_name, last_name }: User) {
  return { id, first_name, last_name, login_name: email, email, last_login: null };
}

function usersOf({ customer }: Principal) {
  return { customer, collection: "logentries-user" } as const;
}

/** The vendor's types of keys. */
const keyTypes = {
  "logentries-read": "ro",
  "logentries-write": "rw",
  "logentries-owner": "owner",
} as const satisfies Partial<Record<TokenKind, string>>;
type ApiKeyKind = keyof typeof keyTypes;

const keyInput = z.object({
  name: z.string().max(200).default(""),
  active: z.boolean().default(true),
  key_type: z.enum(["ro", "rw", "readonly", "readwrite"]).default("ro"),
});

/** Owner keys are shown to owners alone. */
export function listKeys({ tokens }: Options, { principal }: Asked): Reply {
  return { json: { apikeys: visibleKeys(tokens, principal).map(showKey) } };
}

export function showOneKey({ tokens }: Options, asked: Asked): Reply {
  return { json: { apikey: showKey(findKey(tokens, asked)) } };
}

/** Makes a key; its secret is shown this once. Owner keys are made on the command line alone. */
export async function createKey({ tokens }: Options, asked: Asked): Promise<Reply> {
  const { data, error } = keyInput.safeParse(readWrapped(asked, "apikey"));
  if (data === undefined) {
    const field = String(error.issues[0]?.path[0] ?? "apikey");
    throw invalid([field], `unexpected value in "${field}": ${error.issues[0]?.message ?? ""}`);
  }
  const { record, secret } = await tokens.create({
    name: data.name,
    kind:
      data.key_type.startsWith("ro") || data.key_type === "readonly"
        ? "logentries-read"
        : "logentries-write",
    customer: asked.principal.customer,
    prefixes: ["", "", "", ""],
  });
  const shown = data.active ? record : await tokens.setActive(record.id, false);
  return { status: 201, json: { apikey: { ...showKey(shown), api_key: secret } } };
}

/** Makes a key good for nothing, or good again. */
export async function changeKey({ tokens }: Options, asked: Asked): Promise<Reply> {
  const record = findKey(tokens, asked);
  const { active } = readWrapped(asked, "apikey");
  if (typeof active !== "boolean")
    throw invalid(["active"], 'unexpected value in "active"; expected true or false');
  return { json: { apikey: showKey(await tokens.setActive(record.id, active)) } };
}

export async function deleteKey({ tokens }: Options, asked: Asked): Promise<Reply> {
  await tokens.revoke(findKey(tokens, asked).id);
  return { status: 204 };
}

function findKey(tokens: Options["tokens"], { principal, exchange }: Asked): TokenRecord {
  const id = exchange.params["id"] ?? "";
  const key = visibleKeys(tokens, principal).find((record) => record.id === id);
  if (key === undefined) throw notFound("API key", id);
  return key;
}

function visibleKeys(tokens: Options["tokens"], { customer, kind }: Principal): TokenRecord[] {
  const keys = keysOf(tokens, customer);
  return kind === "logentries-owner" ? keys : keys.filter((key) => key.kind !== "logentries-owner");
}

/** What is revoked is deleted. */
function keysOf(tokens: Options["tokens"], customer: string): TokenRecord[] {
  return tokens
    .list()
    .filter(
      (record) =>
        record.customer === customer &&
        record.revokedAt === undefined &&
        Object.hasOwn(keyTypes, record.kind),
    );
}

function showKey({ id, kind, name, createdAt, suspendedAt }: TokenRecord) {
  const type = keyTypes[kind as ApiKeyKind];
  return {
    id,
    name: name === undefined || name === "" ? `${type} ${id}` : name,
    key_type: type,
    active: suspendedAt === undefined,
    created_at: createdAt,
    owner: null,
  };
}

interface DayRow {
  readonly day: number;
  readonly bytes: string;
}

/** `/usage/accounts/ACC?from=&to=`: bytes of the messages stored, by day of their own time. */
export async function showUsage(options: Options, asked: Asked): Promise<Reply> {
  const id = requireAccount(options, asked);
  const { principal, exchange } = asked;
  const today = Math.floor(Date.now() / DAY_MS);
  const to = readDay(exchange.query, "to", today);
  const from = readDay(exchange.query, "from", to - 30);
  if (from > to || to - from > MAX_DAYS) {
    throw badParameter(
      "from",
      textParameter(exchange.query, "from") ?? "",
      `a day before "to", by ${MAX_DAYS} at most`,
    );
  }
  const rows = await readRows<DayRow>(options.store, {
    query: `
      SELECT intDiv(tb, 24) AS day, sum(bytes) AS bytes FROM streams
      WHERE customer = {customer:String} AND prefix3 = {door:String}
        AND tb BETWEEN {first:Int32} AND {last:Int32}
      GROUP BY day ORDER BY day`,
    parameters: {
      customer: principal.customer,
      door: DOOR,
      first: from * 24,
      last: to * 24 + 23,
    },
    signal: exchange.signal,
  });
  const byDay = new Map(rows.map(({ day, bytes }) => [day, Number(bytes)]));
  const daily = Array.from({ length: to - from + 1 }, (_, index) => ({
    day: new Date((from + index) * DAY_MS).toISOString().slice(0, 10),
    usage: byDay.get(from + index) ?? 0,
  }));
  return {
    json: {
      id,
      name: principal.customer,
      period_usage: daily.reduce((sum, { usage }) => sum + usage, 0),
      daily_usage: daily,
    },
  };
}

/** Days since the epoch. */
function readDay(query: URLSearchParams, name: string, fallback: number): number {
  const text = textParameter(query, name);
  if (text === undefined) return fallback;
  const time = /^\d{4}-\d\d-\d\d$/.test(text)
    ? parseTimestamp(`${text}T00:00:00`)
    : parseTimestamp(text);
  if (time === undefined) throw badParameter(name, text, "a day, YYYY-MM-DD");
  return Number(time / NS_PER_DAY);
}

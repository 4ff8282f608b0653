// The key store: every vendor's keys, followed from the log's account stream, and the one place that decides
// who a request is from.
import { randomUUID } from "node:crypto";
import { LogboomError } from "../schemas/errors.ts";
import type { Instruments } from "../schemas/instruments.ts";
import { tokenRecord, type TokenKind, type TokenRecord } from "../schemas/token.ts";
import { Guesses } from "./keys/guesses.ts";
import { LastUses } from "./keys/last-uses.ts";
import type { MasterKey } from "./keys/master-key.ts";
import {
  isOwnerSignature,
  MAX_SKEW_MS,
  readDateHeader,
  readOwnerHeader,
  type SignedContent,
} from "./keys/owner-signature.ts";
import { denied, type Principal } from "./keys/permission.ts";
import { isActive, KeyRecords, type Key } from "./keys/records.ts";
import { checkRecord, completeFacts, type TokenRequest } from "./keys/request.ts";
import { checkSecret, hashSecret, newSecret } from "./keys/secret.ts";
import { UsedSignatures } from "./keys/used-signatures.ts";
import type { Consumption, Log, LogRecord } from "./log/log.ts";

export type { Prefixes, Principal } from "./keys/permission.ts";
export type { TokenRequest } from "./keys/request.ts";

/** A request signed with an owner key. */
export interface SignedRequest extends SignedContent {
  /** The header `authorization-api-key`. */
  readonly authorization: string | undefined;
}

interface TokenStoreOptions {
  /** Without it, owner keys can be neither made nor checked. */
  readonly masterKey?: MasterKey;
  readonly instruments?: Instruments;
  readonly now?: () => number;
}

/** Stands in for an unknown or revoked key, so that refusing a signature costs the same. */
const NO_KEY = "00000000-0000-0000-0000-000000000000";
const ANYWHERE = "";

/** Where a request has its key. */
const places: Readonly<Record<TokenKind, string>> = {
  write: '"Authorization: Token <token>"',
  read: '"Authorization: Token <token>"',
  "loggly-input": "the customer token in the path",
  "loggly-api": '"Authorization: Bearer <token>"',
  "logentries-log": "the log's token in the path",
  "logentries-read": '"x-api-key: <key>"',
  "logentries-write": '"x-api-key: <key>"',
  "logentries-owner": '"authorization-api-key: <id>:<signature>"',
  logtrace: '"Authorization: Bearer <key>"',
  "scalyr-write": 'the parameter "token" or "Authorization: Bearer <token>"',
  "scalyr-read": 'the parameter "token" or "Authorization: Bearer <token>"',
  "scalyr-config": 'the parameter "token" or "Authorization: Bearer <token>"',
};

/**
 * So long around its Date a request that only reads may come again: a Date has whole seconds, so a client that lists,
 * changes and lists again within one sends equal requests.
 */
const REPEATED_READ_MS = 2_000;

export class TokenStore {
  readonly #records = new KeyRecords();
  readonly #lastUses: LastUses;
  readonly #guesses: Guesses;
  readonly #usedSignatures: UsedSignatures;
  readonly #log: Log;
  readonly #options: TokenStoreOptions;
  readonly #now: () => number;
  #following: Consumption | undefined;

  private constructor(log: Log, options: TokenStoreOptions) {
    this.#log = log;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#lastUses = new LastUses(log, { now: this.#now });
    this.#guesses = new Guesses({ now: this.#now });
    this.#usedSignatures = new UsedSignatures(log, { now: this.#now });
  }

  /** Reads all keys from the log and goes on following it: a revocation elsewhere takes effect here. */
  static async open(log: Log, options: TokenStoreOptions = {}): Promise<TokenStore> {
    const store = new TokenStore(log, options);
    store.#following = await log.follow("accounts", (record) => store.#take(record));
    return store;
  }

  /**
   * @param kinds what the key must be, one kind of several
   * @param address the client's; who guesses keys from one is slowed down
   * @throws LogboomError BAD_TOKEN; NO_PERMISSION for a valid key of another kind; RATE_LIMITED for an
   *   address that has to wait. `details.reason` is a {@link DenialReason}.
   */
  authenticate(
    secret: string | undefined,
    kinds: TokenKind | readonly TokenKind[],
    address = ANYWHERE,
  ): Principal {
    const accepted: readonly TokenKind[] = typeof kinds === "string" ? [kinds] : kinds;
    if (secret === undefined || secret === "") throw this.#missing(accepted);
    const hash = hashSecret(secret);
    const name = hash.toString("base64");
    const keys = this.#decide(address, name, () => {
      const known = this.#records.findBySecret(hash).filter(({ record }) => isActive(record));
      if (known.length === 0)
        throw denied("BAD_TOKEN", "unknown", "the token is unknown or revoked");
      const valid = known.filter((key) => !this.#isExpired(key));
      if (valid.length === 0) throw denied("BAD_TOKEN", "expired", "the token has expired");
      return valid;
    });
    const key = keys.findLast(({ record }) => accepted.includes(record.kind));
    if (key === undefined) throw this.#wrongKind(keys.at(-1)?.record.kind, accepted);
    this.#lastUses.note(key.record.id);
    return key.principal;
  }

  /**
   * Asked before a request is read whose key stands in its body.
   *
   * @returns whether a key was good before from this address
   * @throws LogboomError RATE_LIMITED for an address that has to wait, and where none was
   */
  admitUnnamed(address = ANYWHERE): boolean {
    try {
      if (address !== ANYWHERE) this.#guesses.admitUnnamed(address);
    } catch (error) {
      this.#count("too-many-failures");
      throw error;
    }
    return this.#guesses.isProven(address);
  }

  /**
   * Who signed the request with a Logentries owner key; a signature is good once, over all processes, and while
   * its Date is within 15 minutes of the clock.
   *
   * @throws LogboomError BAD_TOKEN with its reason, RATE_LIMITED, or UNAVAILABLE without the master key or the log.
   */
  async authenticateOwner(request: SignedRequest, address = ANYWHERE): Promise<Principal> {
    const header = readOwnerHeader(request.authorization);
    if (header === undefined) throw this.#missing(["logentries-owner"]);
    const { keyId, signature } = header;
    const key = this.#decide(address, keyId, () => {
      const known = this.#records.findById(keyId);
      const sealed =
        known !== undefined && isActive(known.record) ? known.record.sealedSecret : undefined;
      const ownerKey = sealed === undefined ? this.#standIn() : this.#unseal(keyId, sealed);
      const isGood = isOwnerSignature(ownerKey, request, signature);
      if (known === undefined || sealed === undefined || !isGood) {
        throw denied("BAD_TOKEN", "bad-signature", "the signature is not that of an owner key");
      }
      if (this.#isExpired(known)) throw denied("BAD_TOKEN", "expired", "the owner key has expired");
      return known;
    });
    const now = this.#now();
    const date = readDateHeader(request.date);
    if (date === undefined || Math.abs(date - now) > MAX_SKEW_MS) {
      this.#count("clock-skew");
      throw denied(
        "BAD_TOKEN",
        "clock-skew",
        `the Date "${request.date.slice(0, 100)}" is not within ${MAX_SKEW_MS / 60_000} minutes of the clock`,
        { field: "Date", value: request.date.slice(0, 100), limit: MAX_SKEW_MS / 1000 },
      );
    }
    const isFirst = await this.#usedSignatures.use(keyId, signature, date + MAX_SKEW_MS);
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!isFirst && !(isRead && Math.abs(date - now) < REPEATED_READ_MS)) {
      this.#count("replayed");
      throw denied(
        "BAD_TOKEN",
        "replayed",
        "this signature was used before; sign every request anew",
      );
    }
    this.#lastUses.note(keyId);
    return key.principal;
  }

  list(): TokenRecord[] {
    return this.#records.list();
  }

  /** Whether the key of this id is good and has this secret; not a use of it. */
  has(id: string, secret: string): boolean {
    const found = this.#records.findBySecret(hashSecret(secret));
    return found.some(
      (key) => key.record.id === id && isActive(key.record) && !this.#isExpired(key),
    );
  }

  /** ms since the epoch, to the minute; undefined when it was never used. */
  lastUse(id: string): number | undefined {
    return this.#lastUses.lastUse(id);
  }

  /**
   * Creates a key, or replaces the one of the same id. The secret is returned once and never stored in clear.
   *
   * @throws LogboomError BAD_REQUEST for what no key of its kind can have.
   */
  async create(request: TokenRequest): Promise<{ record: TokenRecord; secret: string }> {
    const { id = randomUUID(), secret = newSecret(request.kind), ...given } = request;
    checkSecret(request.kind, secret);
    const facts = completeFacts(given, this.list());
    const former = this.#records.findById(id)?.record;
    const record: TokenRecord = {
      ...facts,
      type: "token",
      id,
      revision: (former?.revision ?? 0) + 1,
      ...(request.kind === "logentries-owner"
        ? { sealedSecret: this.#seal(id, secret) }
        : { secretSha256: hashSecret(secret).toString("hex") }),
      createdAt: new Date(this.#now()).toISOString(),
    };
    checkRecord(record);
    await this.#put(record);
    return { record, secret };
  }

  /** @throws LogboomError NOT_FOUND for an unknown id. Revoking twice is harmless. */
  async revoke(id: string): Promise<TokenRecord> {
    const record = this.#find(id);
    if (record.revokedAt !== undefined) return record;
    return this.#change({ ...record, revokedAt: new Date(this.#now()).toISOString() });
  }

  /** Makes a key good for nothing, or good again. @throws LogboomError NOT_FOUND for an unknown id. */
  async setActive(id: string, willBeActive: boolean): Promise<TokenRecord> {
    const { suspendedAt, ...record } = this.#find(id);
    if (willBeActive === (suspendedAt === undefined)) return this.#find(id);
    return this.#change({
      ...record,
      ...(!willBeActive && { suspendedAt: new Date(this.#now()).toISOString() }),
    });
  }

  /** Makes sure that a token of this id has this secret; used for tokens from the environment. */
  async ensure(request: TokenRequest & { secret: string; id: string }): Promise<void> {
    const known = this.#records.findById(request.id)?.record;
    const best = this.#records
      .findBySecret(hashSecret(request.secret))
      .findLast(({ record }) => record.kind === request.kind && record.revokedAt === undefined);
    if (known === undefined || best?.record !== known) await this.create(request);
  }

  async close(): Promise<void> {
    await this.#lastUses.close();
    await this.#following?.close();
  }

  /** Records that a later version wrote, or that cannot be read, are not this one's to judge. */
  #take(record: LogRecord): void {
    if (this.#usedSignatures.take(record)) return;
    const content = parseJson(record.value);
    if (this.#lastUses.apply(content)) return;
    const token = tokenRecord.safeParse(content);
    if (token.success) this.#records.apply(token.data);
  }

  #find(id: string): TokenRecord {
    const record = this.#records.findById(id)?.record;
    if (record !== undefined) return record;
    throw new LogboomError("NOT_FOUND", `no token has the id "${id}"`);
  }

  async #change(record: TokenRecord): Promise<TokenRecord> {
    const changed = { ...record, revision: (record.revision ?? 0) + 1 };
    await this.#put(changed);
    return changed;
  }

  async #put(record: TokenRecord): Promise<void> {
    await this.#log.append([
      {
        stream: "accounts",
        partition: 0,
        key: `token/${record.id}`,
        value: Buffer.from(JSON.stringify(record)),
      },
    ]);
    this.#records.apply(record);
  }

  /** Looks a key up unless the address has to wait, and remembers how it went. */
  #decide<Result>(address: string, name: string, look: () => Result): Result {
    try {
      if (address !== ANYWHERE) this.#guesses.admit(address, name);
      const result = look();
      if (address !== ANYWHERE) this.#guesses.succeeded(address, name);
      return result;
    } catch (error) {
      if (!(error instanceof LogboomError)) throw error;
      this.#count(String(error.details["reason"] ?? "unavailable"));
      if (error.code === "BAD_TOKEN" && address !== ANYWHERE) this.#guesses.failed(address);
      throw error;
    }
  }

  #isExpired({ record: { expiresAt } }: Key): boolean {
    return expiresAt !== undefined && Date.parse(expiresAt) <= this.#now();
  }

  #missing([kind]: readonly TokenKind[]): LogboomError {
    this.#count("missing");
    const place = kind === undefined ? "" : `; send ${places[kind]}`;
    return denied("BAD_TOKEN", "missing", `no token given${place}`);
  }

  #wrongKind(kind: TokenKind | undefined, accepted: readonly string[]): LogboomError {
    this.#count("wrong-kind");
    return denied(
      "NO_PERMISSION",
      "wrong-kind",
      `a ${kind} token is not good for this; expected ${accepted.join(" or ")}`,
      { tokenKind: kind ?? "" },
    );
  }

  #count(reason: string): void {
    this.#options.instruments?.logboom_key_refusals_total.inc({ reason });
  }

  #seal(id: string, secret: string): string {
    // Under another master key than the others', it would be good for nothing where those are good.
    for (const { id, sealedSecret } of this.list()) {
      if (sealedSecret !== undefined) this.#unseal(id, sealedSecret);
    }
    return this.#masterKey().seal(id, secret);
  }

  /** Takes as long as a real owner key does. */
  #standIn(): string {
    const { id = "", sealedSecret } = this.#records.anySealed?.record ?? {};
    if (sealedSecret !== undefined) this.#unseal(id, sealedSecret);
    return NO_KEY;
  }

  #unseal(id: string, sealed: string): string {
    return this.#masterKey().unseal(id, sealed);
  }

  #masterKey(): MasterKey {
    const { masterKey } = this.#options;
    if (masterKey !== undefined) return masterKey;
    throw new LogboomError("UNAVAILABLE", "owner keys cannot be used here: there is no master key");
  }
}

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString("utf8"));
  } catch {
    return undefined;
  }
}

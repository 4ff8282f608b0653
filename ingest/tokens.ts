// The key store: tokens by the hash of their secret, followed from the log's account stream.
import { createHash, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import { LogboomError } from "../schemas/errors.ts";
import { tokenRecord, type TokenKind, type TokenRecord } from "../schemas/token.ts";
import type { Consumption, Log } from "./log/log.ts";

export type Prefixes = TokenRecord["prefixes"];

/** Who is asking, and what they may do. */
export interface Principal {
  readonly tokenId: string;
  readonly kind: TokenKind;
  readonly customer: string;
  /** Labels written or read start with these. */
  readonly prefixes: Prefixes;
}

/** What a new token is to be. */
export interface TokenRequest {
  readonly kind: TokenKind;
  readonly customer: string;
  readonly prefixes: Prefixes;
  /** Given for one that someone has already, and for bootstrap tokens; else generated. */
  readonly secret?: string;
  readonly id?: string;
}

export class TokenStore {
  readonly #byHash = new Map<string, TokenRecord>();
  readonly #byId = new Map<string, TokenRecord>();
  readonly #log: Log;
  #following: Consumption | undefined;

  private constructor(log: Log) {
    this.#log = log;
  }

  /** Reads all tokens from the log and goes on following it: a revocation elsewhere takes effect here. */
  static async open(log: Log): Promise<TokenStore> {
    const store = new TokenStore(log);
    store.#following = await log.follow("accounts", ({ value }) => {
      // Records that a later version wrote are not this one's to judge.
      const record = tokenRecord.safeParse(JSON.parse(value.toString("utf8")));
      if (record.success) store.#apply(record.data);
    });
    return store;
  }

  /**
   * @param kind what the token must be good for
   * @throws LogboomError BAD_TOKEN, or NO_PERMISSION for a valid token of another kind.
   */
  authenticate(secret: string | undefined, kind: TokenKind): Principal {
    if (secret === undefined) {
      throw new LogboomError("BAD_TOKEN", 'no token given; send "Authorization: Token <token>"');
    }
    const hash = sha256(secret);
    const record = this.#byHash.get(hash.toString("hex"));
    // The lookup by hash tells nothing about secrets; the comparison keeps its time constant as well.
    const isKnown =
      record !== undefined && timingSafeEqual(Buffer.from(record.secretSha256, "hex"), hash);
    if (!isKnown || record.revokedAt !== undefined) {
      throw new LogboomError("BAD_TOKEN", "the token is unknown or revoked");
    }
    if (record.kind !== kind) {
      throw new LogboomError("NO_PERMISSION", `a ${record.kind} token may not ${kind}`, {
        details: { tokenKind: record.kind },
      });
    }
    return {
      tokenId: record.id,
      kind: record.kind,
      customer: record.customer,
      prefixes: record.prefixes,
    };
  }

  list(): TokenRecord[] {
    return [...this.#byId.values()];
  }

  /** Creates a token, or replaces the one of the same id. The secret is returned once and never stored. */
  async create(request: TokenRequest): Promise<{ record: TokenRecord; secret: string }> {
    const secret = request.secret ?? newSecret(request.kind);
    const record: TokenRecord = {
      type: "token",
      id: request.id ?? randomUUID(),
      kind: request.kind,
      customer: request.customer,
      prefixes: request.prefixes,
      secretSha256: sha256(secret).toString("hex"),
      createdAt: new Date().toISOString(),
    };
    await this.#put(tokenRecord.parse(record));
    return { record, secret };
  }

  /** @throws LogboomError NOT_FOUND for an unknown id. Revoking twice is harmless. */
  async revoke(id: string): Promise<TokenRecord> {
    const record = this.#byId.get(id);
    if (record === undefined) throw new LogboomError("NOT_FOUND", `no token has the id "${id}"`);
    if (record.revokedAt !== undefined) return record;
    const revoked = { ...record, revokedAt: new Date().toISOString() };
    await this.#put(revoked);
    return revoked;
  }

  /** Makes sure that a token of this id has this secret; used for tokens from the environment. */
  async ensure(request: TokenRequest & { secret: string; id: string }): Promise<void> {
    const known = this.#byId.get(request.id);
    const isSame =
      known?.secretSha256 === sha256(request.secret).toString("hex") &&
      this.#byHash.get(known.secretSha256)?.id === request.id &&
      known.revokedAt === undefined;
    if (!isSame) await this.create(request);
  }

  async close(): Promise<void> {
    await this.#following?.close();
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
    this.#apply(record);
  }

  #apply(record: TokenRecord): void {
    const former = this.#byId.get(record.id);
    if (former !== undefined && this.#byHash.get(former.secretSha256)?.id === record.id) {
      this.#byHash.delete(former.secretSha256);
      // Another token may have the same secret, taken over from elsewhere.
      const other = this.list().find(
        ({ id, secretSha256 }) => id !== record.id && secretSha256 === former.secretSha256,
      );
      if (other !== undefined) this.#byHash.set(other.secretSha256, other);
    }
    this.#byId.set(record.id, record);
    this.#byHash.set(record.secretSha256, record);
  }
}

function sha256(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

/** 256 random bits; the kind stands in front, so that people can tell tokens apart. */
function newSecret(kind: TokenKind): string {
  return `lb_${kind}_${randomBytes(32).toString("base64url")}`;
}

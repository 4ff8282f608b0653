// The keys' records in memory: by id, and by the hash of their secret.
import { timingSafeEqual } from "node:crypto";
import type { TokenRecord } from "../../schemas/token.ts";
import { principalOf, type Principal } from "./permission.ts";

/** A key, and what it lets its holder do. */
export interface Key {
  readonly record: TokenRecord;
  readonly principal: Principal;
}

/** Whether the key is good for anything, unless it has expired. */
export function isActive({ suspendedAt, revokedAt }: TokenRecord): boolean {
  return suspendedAt === undefined && revokedAt === undefined;
}

const NO_HASH = Buffer.alloc(32);

export class KeyRecords {
  readonly #byId = new Map<string, Key>();
  /** One secret may be the key of several kinds, taken over from elsewhere; the newest is last. */
  readonly #byHash = new Map<string, readonly Key[]>();
  #lastSealed: Key | undefined;

  /** Takes a record in; one that is older than what is known of the key changes nothing. */
  apply(record: TokenRecord): void {
    const former = this.#byId.get(record.id)?.record;
    if (former !== undefined && (record.revision ?? 0) < (former.revision ?? 0)) return;
    const key = { record, principal: principalOf(record) };
    if (former?.secretSha256 !== undefined) {
      const others = this.#keysOf(former.secretSha256).filter(
        (other) => other.record.id !== record.id,
      );
      if (others.length > 0) this.#byHash.set(former.secretSha256, others);
      else this.#byHash.delete(former.secretSha256);
    }
    this.#byId.set(record.id, key);
    if (record.sealedSecret !== undefined) this.#lastSealed = key;
    if (record.secretSha256 !== undefined) {
      this.#byHash.set(record.secretSha256, [...this.#keysOf(record.secretSha256), key]);
    }
  }

  /** The keys of a secret, newest last. */
  findBySecret(hash: Buffer): readonly Key[] {
    const keys = this.#keysOf(hash.toString("hex"));
    // The lookup by hash tells nothing about secrets; the comparison keeps its time constant as well.
    const known = keys[0]?.record.secretSha256;
    const isSame = timingSafeEqual(known === undefined ? NO_HASH : Buffer.from(known, "hex"), hash);
    return isSame ? keys : [];
  }

  findById(id: string): Key | undefined {
    return this.#byId.get(id);
  }

  /** Any owner key, to be decrypted in place of one that is not there. */
  get anySealed(): Key | undefined {
    return this.#lastSealed;
  }

  list(): TokenRecord[] {
    return [...this.#byId.values()].map(({ record }) => record);
  }

  #keysOf(secretSha256: string): readonly Key[] {
    return this.#byHash.get(secretSha256) ?? [];
  }
}

// Encrypts the few secrets that are needed in clear: owner keys, with which requests are signed.
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../schemas/config.ts";
import { LogboomError } from "../../schemas/errors.ts";

const ALGORITHM = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_FORM = /^[0-9a-f]{64}$/i;

/** The key that encrypts keys: from the environment, or in a file of the data directory, made at need. */
export class MasterKey {
  readonly #path: string;
  #key: Buffer | undefined;

  constructor({
    LOGBOOM_MASTER_KEY: given,
    LOGBOOM_DATA_DIR: dir,
  }: Pick<Config, "LOGBOOM_MASTER_KEY" | "LOGBOOM_DATA_DIR">) {
    this.#path = join(dir, "master.key");
    if (given !== undefined) this.#key = Buffer.from(given, "hex");
  }

  /** Base64 of nonce, tag and ciphertext; it opens under the same id alone. */
  seal(keyId: string, secret: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#load() ?? this.#make(), iv, {
      authTagLength: TAG_BYTES,
    }).setAAD(Buffer.from(keyId));
    const text = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), text]).toString("base64");
  }

  /** @throws LogboomError UNAVAILABLE when this process does not have the key that it was sealed under. */
  unseal(keyId: string, sealed: string): string {
    const key = this.#load();
    const bytes = Buffer.from(sealed, "base64");
    if (key === undefined) throw unusable("this process has no master key");
    try {
      const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      })
        .setAAD(Buffer.from(keyId))
        .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
      const text = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString("utf8");
    } catch (error) {
      throw unusable("its master key is another one", error);
    }
  }

  #load(): Buffer | undefined {
    this.#key ??= this.#readFile();
    return this.#key;
  }

  #readFile(): Buffer | undefined {
    const stats = statSync(this.#path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if ((stats.mode & 0o077) !== 0) {
      throw unusable(`others may read "${this.#path}"; its mode must be 600`);
    }
    const text = readFileSync(this.#path, "utf8").trim();
    if (!KEY_FORM.test(text)) throw unusable(`"${this.#path}" does not hold 64 hex digits`);
    return Buffer.from(text, "hex");
  }

  /** A service and a command line may both come first: the link is made once, of a whole file. */
  #make(): Buffer {
    const draft = `${this.#path}.${process.pid}`;
    mkdirSync(join(this.#path, ".."), { recursive: true, mode: 0o700 });
    rmSync(draft, { force: true });
    writeFileSync(draft, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600, flush: true });
    try {
      linkSync(draft, this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    const key = this.#load();
    if (key === undefined) throw unusable(`"${this.#path}" is gone`);
    return key;
  }
}

function unusable(reason: string, cause?: unknown): LogboomError {
  return new LogboomError("UNAVAILABLE", `owner keys cannot be used here: ${reason}`, { cause });
}

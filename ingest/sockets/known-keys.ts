// Who a secret is of, remembered for a moment: raw connections name it in every line.
import { LogboomError } from "../../schemas/errors.ts";
import type { TokenKind } from "../../schemas/token.ts";
import { requireScope, type Principal } from "../keys/permission.ts";
import type { TokenStore } from "../tokens.ts";

/** A revoked key is good for no longer than this. */
const REMEMBER_MS = 1_000;
/** Beyond it the memory starts anew, so that made-up secrets cannot fill it. */
const MAX_REMEMBERED = 10_000;

export class KnownKeys {
  readonly #tokens: TokenStore;
  readonly #kinds: readonly TokenKind[];
  readonly #bySecret = new Map<string, Principal | undefined>();
  #isForgetting = false;

  constructor(tokens: TokenStore, kinds: readonly TokenKind[]) {
    this.#tokens = tokens;
    this.#kinds = kinds;
  }

  find(secret: string): Principal | undefined {
    const known = this.#bySecret.get(secret);
    if (known !== undefined || this.#bySecret.has(secret)) return known;
    const found = this.#lookUp(secret);
    if (this.#bySecret.size >= MAX_REMEMBERED) this.#bySecret.clear();
    this.#bySecret.set(secret, found);
    if (!this.#isForgetting) this.#forgetLater();
    return found;
  }

  #forgetLater(): void {
    this.#isForgetting = true;
    setTimeout(() => {
      this.#bySecret.clear();
      this.#isForgetting = false;
    }, REMEMBER_MS).unref();
  }

  /** Without the address: a connection that answers nothing tells a guesser nothing. */
  #lookUp(secret: string): Principal | undefined {
    try {
      const principal = this.#tokens.authenticate(secret, this.#kinds);
      if (principal.kind === "logtrace") requireScope(principal, "write:logs");
      return principal;
    } catch (error) {
      if (error instanceof LogboomError) return undefined;
      throw error;
    }
  }
}

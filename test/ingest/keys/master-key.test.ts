// The key that encrypts owner keys: where it comes from, and what it opens.
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MasterKey } from "../../../ingest/keys/master-key.ts";
import { makeTempDir } from "../log/log-fixture.ts";
import { makeMasterKey } from "./master-key-fixture.ts";

const secret = "44444444-2222-3333-4444-555555555555";

let data: { dir: string; remove(): void };

beforeEach(() => {
  data = makeTempDir();
});

afterEach(() => data.remove());

const inFile = () => new MasterKey({ LOGBOOM_MASTER_KEY: undefined, LOGBOOM_DATA_DIR: data.dir });
const path = () => join(data.dir, "master.key");

describe("what is sealed", () => {
  test("opens again under the same id", () => {
    const key = makeMasterKey();
    expect(key.unseal("id", key.seal("id", secret))).toBe(secret);
  });

  test("holds nothing of the secret, and is never the same twice", () => {
    const key = makeMasterKey();
    const [one, other] = [key.seal("id", secret), key.seal("id", secret)];
    expect(one).not.toBe(other);
    expect(Buffer.from(one, "base64").includes(secret.slice(0, 8))).toBe(false);
  });

  test("does not open under another id or key, or when a bit of it is wrong", () => {
    const key = makeMasterKey();
    const sealed = key.seal("id", secret);
    const unusable = expect.objectContaining({ code: "UNAVAILABLE" }) as Error;
    expect(() => key.unseal("other", sealed)).toThrow(unusable);
    expect(() => makeMasterKey().unseal("id", sealed)).toThrow(unusable);
    const bytes = Buffer.from(sealed, "base64");
    for (const index of bytes.keys()) {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(index) ^ 1, index);
      expect(() => key.unseal("id", damaged.toString("base64"))).toThrow(unusable);
    }
    for (const short of ["", "AAAA"]) expect(() => key.unseal("id", short)).toThrow(unusable);
  });
});

describe("without a key in the environment", () => {
  test("the first seal makes one for its owner alone, and later processes use it", () => {
    const sealed = inFile().seal("id", secret);
    expect((statSync(path()).mode & 0o777).toString(8)).toBe("600");
    expect(readFileSync(path(), "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
    expect(readdirSync(data.dir)).toEqual(["master.key"]);
    expect(inFile().unseal("id", sealed)).toBe(secret);
    expect(inFile().unseal("id", inFile().seal("id", secret))).toBe(secret);
  });

  test("opening makes none", () => {
    const sealed = makeMasterKey().seal("id", secret);
    expect(() => inFile().unseal("id", sealed)).toThrow("this process has no master key");
    expect(existsSync(path())).toBe(false);
  });

  test("one that others may read, or that is none, is refused and left as it is", () => {
    writeFileSync(path(), "not a key\n", { mode: 0o600 });
    expect(() => inFile().seal("id", secret)).toThrow("does not hold 64 hex digits");
    rmSync(path());
    const sealed = inFile().seal("id", secret);
    chmodSync(path(), 0o640);
    expect(() => inFile().unseal("id", sealed)).toThrow("its mode must be 600");
    chmodSync(path(), 0o600);
    expect(inFile().unseal("id", sealed)).toBe(secret);
  });
});

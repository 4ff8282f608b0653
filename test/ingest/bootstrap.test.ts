// The first tokens of a service: from the environment, or in files that their owner alone can read.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bootstrapTokens } from "../../ingest/bootstrap.ts";
import { TokenStore } from "../../ingest/tokens.ts";
import { readConfig } from "../../schemas/config.ts";
import { makeTempDir, openTempLog, type TempLog } from "./log/log-fixture.ts";

let temp: TempLog;
let tokens: TokenStore;
let data: { dir: string; remove(): void };

beforeEach(async () => {
  temp = await openTempLog();
  tokens = await TokenStore.open(temp.log);
  data = makeTempDir();
});

afterEach(async () => {
  await tokens.close();
  await temp[Symbol.asyncDispose]();
  data.remove();
});

/** A start of the service with these variables. */
function start(env: NodeJS.ProcessEnv = {}) {
  return bootstrapTokens(readConfig({ LOGBOOM_DATA_DIR: data.dir, ...env }), tokens);
}

const pathOf = (kind: "write" | "read") => join(data.dir, `${kind}.token`);
const secretIn = (kind: "write" | "read") => readFileSync(pathOf(kind), "utf8").trimEnd();
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("without tokens in the environment", () => {
  test("the first start leaves one of each kind in files for their owner alone", async () => {
    const made = await start();
    for (const kind of ["write", "read"] as const) {
      expect(made[kind]).toEqual({ shell: `$(cat ${pathOf(kind)})`, path: pathOf(kind) });
      expect(modeOf(pathOf(kind))).toBe("600");
      expect(readFileSync(pathOf(kind), "utf8")).toMatch(/^lb_\w+_[A-Za-z0-9_-]{43}\n$/);
      expect(tokens.authenticate(secretIn(kind), kind)).toMatchObject({
        customer: "default",
        prefixes: ["", "", "", ""],
      });
    }
    expect(secretIn("write")).not.toBe(secretIn("read"));
  });

  test("the data folder that it makes is its owner's alone", async () => {
    const dir = join(data.dir, "new", "deeper");
    await start({ LOGBOOM_DATA_DIR: dir });
    expect(modeOf(dir)).toBe("700");
    expect(readdirSync(dir).toSorted()).toEqual(["read.token", "write.token"]);
  });

  test("a first start that could not write a file leaves it to the next one", async () => {
    mkdirSync(pathOf("write"));
    await expect(start()).rejects.toThrow();
    rmdirSync(pathOf("write"));
    expect((await start()).write.path).toBe(pathOf("write"));
    expect(tokens.authenticate(secretIn("write"), "write").customer).toBe("default");
  });

  test("the command that is shown is right also for a path with spaces and quotes", async () => {
    const dir = join(data.dir, "it's my data");
    const { read } = await start({ LOGBOOM_DATA_DIR: dir });
    const { stdout } = spawnSync("sh", ["-c", `printf %s "${read.shell}"`], { encoding: "utf8" });
    expect(tokens.authenticate(stdout, "read").kind).toBe("read");
  });

  test("the next start keeps them as they are", async () => {
    await start();
    const before = [secretIn("write"), secretIn("read"), statSync(pathOf("write")).mtimeMs];
    const again = await start();
    expect([secretIn("write"), secretIn("read"), statSync(pathOf("write")).mtimeMs]).toEqual(
      before,
    );
    expect(again.write.path).toBe(pathOf("write"));
    expect(tokens.list()).toHaveLength(2);
  });

  test("whoever deletes a file after reading it keeps the token, and gets no other", async () => {
    await start();
    const secret = secretIn("write");
    rmSync(pathOf("write"));
    const again = await start();
    expect(again.write.path).toBeUndefined();
    expect(existsSync(pathOf("write"))).toBe(false);
    expect(tokens.authenticate(secret, "write").customer).toBe("default");
  });

  test("a token that was revoked stays revoked", async () => {
    await start();
    const secret = secretIn("read");
    const { tokenId } = tokens.authenticate(secret, "read");
    await tokens.revoke(tokenId);
    const again = await start();
    // Nor is it shown as one to use.
    expect(again.read).toEqual({ shell: "<your read token>", path: undefined });
    expect(again.write.path).toBe(pathOf("write"));
    expect(secretIn("read")).toBe(secret);
    expect(() => tokens.authenticate(secret, "read")).toThrow("revoked");
  });

  test("another customer gets tokens of its own", async () => {
    await start();
    const first = secretIn("write");
    await start({ LOGBOOM_CUSTOMER: "acme" });
    expect(tokens.authenticate(secretIn("write"), "write").customer).toBe("acme");
    expect(tokens.authenticate(first, "write").customer).toBe("default");
    // Back again, the files hold the other customer's.
    expect((await start()).write).toEqual({ shell: "<your write token>", path: undefined });
  });

  // A file that is written anew keeps its mode.
  test("a file that stood there readable for others is not readable for them afterwards", async () => {
    mkdirSync(data.dir, { recursive: true });
    writeFileSync(pathOf("write"), "old\n");
    chmodSync(pathOf("write"), 0o644);
    await start();
    expect(secretIn("write")).not.toBe("old");
    expect(modeOf(pathOf("write"))).toBe("600");
  });
});

describe("with tokens in the environment", () => {
  const env = {
    LOGBOOM_WRITE_TOKEN: "the-write-token-of-env",
    LOGBOOM_READ_TOKEN: "the-read-token-of-env",
  };

  test("these are good, nothing is generated and no file is written", async () => {
    const made = await start(env);
    expect(made).toEqual({
      write: { shell: "$LOGBOOM_WRITE_TOKEN", path: undefined },
      read: { shell: "$LOGBOOM_READ_TOKEN", path: undefined },
    });
    expect(tokens.authenticate(env.LOGBOOM_WRITE_TOKEN, "write").customer).toBe("default");
    expect(tokens.authenticate(env.LOGBOOM_READ_TOKEN, "read").customer).toBe("default");
    expect(tokens.list()).toHaveLength(2);
    expect(readdirSync(data.dir)).toEqual([]);
  });

  test("a changed one replaces the former", async () => {
    await start(env);
    await start({ ...env, LOGBOOM_WRITE_TOKEN: "a-rotated-write-token" });
    expect(() => tokens.authenticate(env.LOGBOOM_WRITE_TOKEN, "write")).toThrow("unknown");
    expect(tokens.authenticate("a-rotated-write-token", "write").kind).toBe("write");
    expect(tokens.list()).toHaveLength(2);
  });

  test("one given leaves the other to be generated", async () => {
    const made = await start({ LOGBOOM_WRITE_TOKEN: env.LOGBOOM_WRITE_TOKEN });
    expect(made.write.path).toBeUndefined();
    expect(made.read.path).toBe(pathOf("read"));
    expect(readdirSync(data.dir)).toEqual(["read.token"]);
  });
});

// `logboom token …` as an operator calls it, beside processes that have the log open and without any.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MasterKey } from "../../ingest/keys/master-key.ts";
import { signOwnerRequest } from "../../ingest/keys/owner-signature.ts";
import { EmbeddedLog } from "../../ingest/log/embedded.ts";
import { TokenStore } from "../../ingest/tokens.ts";
import { tokenKinds, type TokenKind } from "../../schemas/token.ts";
import { makeTempDir } from "../ingest/log/log-fixture.ts";
import { waitUntil } from "../ingest/wait-until.ts";
import { runCli } from "../support/service.ts";

let data: { dir: string; remove(): void };

beforeEach(() => {
  data = makeTempDir();
});

afterEach(() => data.remove());

interface Created {
  readonly id: string;
  readonly secret: string;
  readonly [fact: string]: unknown;
}

async function call(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(data.dir, ["token", ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

async function create(kind: TokenKind, ...args: string[]): Promise<Created> {
  const output = await call("create", "--customer", "acme", "--kind", kind, ...args, "--json");
  return JSON.parse(output) as Created;
}

/** A store as a service on this data directory has it. */
async function openStore(): Promise<{ tokens: TokenStore } & AsyncDisposable> {
  const log = await EmbeddedLog.open({ dir: join(data.dir, "log"), maxBytes: 1e9 });
  const masterKey = new MasterKey({ LOGBOOM_MASTER_KEY: undefined, LOGBOOM_DATA_DIR: data.dir });
  const tokens = await TokenStore.open(log, { masterKey });
  return {
    tokens,
    [Symbol.asyncDispose]: async () => {
      await tokens.close();
      await log.close();
    },
  };
}

/** Looks into the bytes of every file below the data directory. */
function expectInNoFile(secrets: readonly string[]): void {
  const files = readdirSync(data.dir, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const bytes = Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))));
  expect(bytes.includes('"customer":"acme"')).toBe(true);
  for (const secret of secrets) {
    const random = secret.replace(/^(?:lb_(?:read|write)|lt_live)_/, "");
    expect(bytes.includes(random), secret).toBe(false);
  }
}

const acmeRead = ["--customer", "acme", "--kind", "read"];
const allPrefixes = ["--prefix0", "a", "--prefix1", "b", "--prefix2", "c", "--prefix3", "d"];

test("keys of every kind have the options of their kind, and are good; no file holds a secret", async () => {
  const asked: Record<TokenKind, string[]> = {
    write: allPrefixes,
    read: ["--expires", "2100-01-01"],
    "loggly-input": ["--prefix0", "web"],
    "loggly-api": [],
    "logentries-log": ["--logset", "my web", "--log", "access log"],
    "logentries-read": ["--limit", "query=5", "--limit", "management=6"],
    "logentries-write": [],
    "logentries-owner": ["--account", "22222222-2222-3333-4444-555555555555"],
    logtrace: ["--environment", "staging", "--scope", "read:logs", "--tier", "enterprise"],
    "scalyr-write": [],
    "scalyr-read": ["--secret", "one-that-someone-has-already"],
    "scalyr-config": [],
  };
  const expected: Partial<Record<TokenKind, object>> = {
    write: { prefixes: ["a", "b", "c", "d"] },
    "loggly-input": { prefixes: ["web", "", "", ""] },
    "logentries-log": { logset: "my web", log: "access log" },
    "logentries-read": { limits: { query: 5, management: 6 } },
    "logentries-owner": { account: "22222222-2222-3333-4444-555555555555" },
    logtrace: { environment: "staging", scopes: ["read:logs"], tier: "enterprise" },
  };
  const made = new Map<TokenKind, Created>();
  for (const kind of tokenKinds) {
    const created = await create(kind, ...asked[kind]);
    expect(created).toMatchObject({ kind, customer: "acme", ...expected[kind] });
    made.set(kind, created);
  }
  expectInNoFile([...made.values()].map(({ secret }) => secret));
  await using store = await openStore();
  for (const [kind, { id, secret }] of made) {
    if (kind === "logentries-owner") continue;
    expect(store.tokens.authenticate(secret, kind)).toMatchObject({
      tokenId: id,
      kind,
      customer: "acme",
      ...expected[kind],
    });
  }
  // The owner key is never sent: it signs.
  const owner = made.get("logentries-owner");
  const content = {
    method: "GET",
    contentType: "",
    date: new Date().toUTCString(),
    path: "management/accounts/22222222-2222-3333-4444-555555555555/users",
    body: Buffer.alloc(0),
  };
  const authorization = `${owner?.id}:${signOwnerRequest(owner?.secret ?? "", content)}`;
  const principal = await store.tokens.authenticateOwner({ ...content, authorization });
  expect(principal.tokenId).toBe(owner?.id);
  expect((statSync(join(data.dir, "master.key")).mode & 0o777).toString(8)).toBe("600");
});

describe("a call is refused, with the usage, and nothing is made:", () => {
  const acme = ["--customer", "acme"];
  test.each([
    ["a kind that is none", [...acme, "--kind", "admin"], '--kind "admin"'],
    ["no kind", acme, "--kind"],
    ["no customer", ["--kind", "read"], "--customer"],
    ["an unknown option", [...acme, "--kind", "read", "--color", "red"], "--color"],
    [
      "another kind's option",
      [...acme, "--kind", "loggly-input", "--environment", "production"],
      'a key of the kind "loggly-input" has no environment',
    ],
    ["a log token without its log", [...acme, "--kind", "logentries-log"], "needs a logset"],
    ["an unknown scope", [...acme, "--kind", "logtrace", "--scope", "write:logs,x"], '--scope "x"'],
    ["an unknown tier", [...acme, "--kind", "logtrace", "--tier", "gold"], '--tier "gold"'],
    ["a limit without a number", [...acme, "--kind", "logtrace", "--limit", "query"], "--limit"],
    ["a time that is none", [...acme, "--kind", "read", "--expires", "soon"], '--expires "soon"'],
    // Date would take it for 2001.
    ["a number for a time", [...acme, "--kind", "read", "--expires", "5"], '--expires "5"'],
    [
      "a label that none can be",
      [...acme, "--kind", "read", "--prefix0", "a\tb"],
      '"a\\tb" in "prefix0" starts no label: it must be 1 to 255 characters without control',
    ],
    ["a variable not set", [...acme, "--kind", "read", "--secret", "env://NO_SUCH"], "NO_SUCH"],
    ["a file not there", [...acme, "--kind", "read", "--secret", "file:///no/such"], "ENOENT"],
  ])("%s", async (_, args, message) => {
    const { code, stdout, stderr } = await runCli(data.dir, ["token", "create", ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.split("\n")[0]).toContain(message);
    expect(stderr).toContain("usage:");
  });

  test("a short secret, which is not repeated", async () => {
    const args = ["token", "create", ...acme, "--kind", "read", "--secret", "Tr0ub4dor"];
    const { code, stderr } = await runCli(data.dir, args);
    expect(code).toBe(2);
    expect(stderr).toContain("16 to 255");
    expect(stderr).not.toContain("Tr0ub4dor");
    expect(await call("list", "--json")).toBe("[]\n");
  });
});

describe("a secret that someone has already", () => {
  test("is taken over as it stands, from a variable and from a file", async () => {
    const given = {
      stands: "a-secret-that-stands-there",
      variable: "a-secret-of-a-variable",
      file: "a-secret-of-a-file",
    };
    process.env["TEST_KEY_TO_TAKE_OVER"] = given.variable;
    const path = join(data.dir, "given");
    writeFileSync(path, `${given.file}\n`);
    await create("scalyr-read", "--secret", given.stands);
    await create("scalyr-read", "--secret", "env://TEST_KEY_TO_TAKE_OVER");
    await create("scalyr-read", "--secret", `file://${path}`);
    await using store = await openStore();
    for (const secret of Object.values(given)) {
      expect(store.tokens.authenticate(secret, "scalyr-read").customer).toBe("acme");
    }
  });
});

test("the list shows each key's facts, its state and its last use, and no secret or hash", async () => {
  const made = await create("logtrace");
  const revoked = await create("write");
  expect(await call("revoke", revoked.id)).toMatch(/revoked 20\d\d-/);
  const expired = await create("read", "--expires", "2001-02-03");
  {
    await using store = await openStore();
    store.tokens.authenticate(made.secret, "logtrace");
  }
  const json = await call("list", "--json");
  expect(JSON.parse(json)).toMatchObject([
    { id: made.id, environment: "production", lastUsedAt: expect.stringMatching(/^20/) as string },
    { id: revoked.id, revokedAt: expect.stringMatching(/^20/) as string },
    { id: expired.id, expiresAt: "2001-02-03T00:00:00.000Z" },
  ]);
  const text = await call("list");
  expect(text).toMatch(new RegExp(`^${made.id} .* active {2}used 20`, "m"));
  expect(text).toMatch(new RegExp(`^${revoked.id} .* revoked 20.* never used$`, "m"));
  expect(text).toMatch(new RegExp(`^${expired.id} .* expired {2}never used$`, "m"));
  for (const output of [json, text]) {
    expect(output).not.toContain(made.secret);
    expect(output).not.toMatch(/sha256|sealed/i);
  }
});

test("a folder without a log is told of, unless the first key is made in it", async () => {
  const { code, stdout, stderr } = await runCli(data.dir, ["token", "list", "--json"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "[]\n" });
  expect(stderr).toBe(
    `logboom: no log in LOGBOOM_DATA_DIR "${data.dir}" so far; a new one is made there\n`,
  );
  expect(await call("list", "--json")).toBe("[]\n");
});

test("a data directory that cannot be one is a line, and no stack", async () => {
  const file = join(data.dir, "file");
  writeFileSync(file, "");
  const { code, stdout, stderr } = await runCli(file, ["token", "create", ...acmeRead]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^logboom: cannot open the log in ".*\/file\/log": ENOTDIR: .*\n$/);
});

test("a log that LMDB cannot open is named by its folder", async () => {
  mkdirSync(join(data.dir, "log", "log.mdb"), { recursive: true });
  const { code, stderr } = await runCli(data.dir, ["token", "list"]);
  expect(code).toBe(1);
  expect(stderr).toContain(`logboom: cannot open the log in "${join(data.dir, "log")}": `);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("revoking what is not there fails", async () => {
  await create("read");
  const { code, stderr } = await runCli(data.dir, ["token", "revoke", "nobody"]);
  expect(code).toBe(1);
  expect(stderr).toBe('logboom: no token has the id "nobody"\n');
});

test("beside stores that are open, a new key is good and a revoked one is not, in all of them", async () => {
  await using one = await openStore();
  await using other = await openStore();
  const stores = [one.tokens, other.tokens];
  const isGood = (store: TokenStore, secret: string): boolean => {
    try {
      return store.authenticate(secret, "loggly-api").customer === "acme";
    } catch {
      return false;
    }
  };
  const { id, secret } = await create("loggly-api");
  await waitUntil(() => stores.every((store) => isGood(store, secret)));
  await call("revoke", id);
  const begin = performance.now();
  await waitUntil(() => stores.every((store) => !isGood(store, secret)));
  console.log(`a revocation is in effect after ${Math.round(performance.now() - begin)} ms`);
});

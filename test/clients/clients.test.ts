// The vendors' own, unmodified clients deliver to the service, and read back what they delivered.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { countEvents, waitForCount } from "../support/api.ts";
import { ask, untilAnswered } from "../support/keys.ts";
import { findFreePort, runCli, startService, type Service } from "../support/service.ts";
import { driverPath, drivers } from "./drivers.ts";

// A client that is not in the cache yet is installed first.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 120_000 });

const events = 20;
const token = "11111111-2222-3333-4444-555555555555";
const apiKey = "66666666-2222-3333-4444-555555555555";
const ownerKey = "44444444-2222-3333-4444-555555555555";
const account = "22222222-2222-3333-4444-555555555555";
const logtraceKey = "lt_live_0123456789abcdef0123456789abcdef";

let service: Service;
let environment: Record<string, string>;

async function createKey(kind: string, secret: string, ...more: readonly string[]) {
  const args = ["--customer", "acme", "--kind", kind, "--secret", secret, ...more, "--json"];
  const { code, stdout, stderr } = await runCli(service.dataDir, ["token", "create", ...args]);
  if (code !== 0) throw new Error(`token create --kind ${kind}: ${stderr}`);
  return JSON.parse(stdout) as { readonly id: string };
}

beforeAll(async () => {
  const [tokenPort, logstashPort] = [await findFreePort(), await findFreePort()];
  service = await startService({
    env: {
      LOGBOOM_TOKEN_TCP_PORT: String(tokenPort),
      LOGBOOM_LOGSTASH_PORT: String(logstashPort),
      LOGBOOM_LOGSTASH_KEY: logtraceKey,
    },
  });
  for (const kind of ["loggly-input", "scalyr-write"]) await createKey(kind, token);
  const log = await createKey("logentries-log", token, "--logset", "clients", "--log", "drivers");
  for (const kind of ["loggly-api", "logentries-read", "scalyr-read"])
    await createKey(kind, apiKey);
  const owner = await createKey("logentries-owner", ownerKey, "--account", account);
  await createKey("logtrace", logtraceKey);
  // It is the last: when it is known, all are.
  const headers = { authorization: `Bearer ${logtraceKey}` };
  await untilAnswered(() => ask(`${service.url}/v1/health`, { headers }));
  environment = {
    BASE_URL: service.url,
    TCP_PORT: String(tokenPort),
    LT_TCP_PORT: String(logstashPort),
    TOKEN: token,
    API_KEY: apiKey,
    LOG_ID: log.id,
    LOGTRACE_KEY: logtraceKey,
    OWNER_KEY: ownerKey,
    OWNER_KEY_ID: owner.id,
    ACCOUNT_ID: account,
    N: String(events),
    VERIFY: "1",
  };
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

test.each(drivers)("%s delivers, reads back, and each event is stored once", async (name) => {
  const marker = `client${Date.now()}x${Math.floor(Math.random() * 1e6)}`;
  const child = spawn("bash", [driverPath(name)], {
    env: { ...process.env, ...environment, RUN_ID: marker },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  expect(code, output.slice(-3000)).toBe(0);
  // This one administers, and sends nothing.
  if (name === "le-hmac-owner") return;
  await waitForCount(service, { regex: `.*${marker}-[0-9]+.*` }, events);
  for (const number of [1, events]) {
    const regex = `.*${marker}-${number}(\\D.*|)`;
    expect(await countEvents(service, { regex }), `${marker}-${number}`).toBe(1);
  }
});

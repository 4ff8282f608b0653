// Raw connections and addEvents over the life of a real process: nothing received is lost, nothing repeated doubles.
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { waitForCount } from "../support/api.ts";
import { startService, type Service } from "../support/service.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const key = crypto.randomUUID();
let service: Service;

beforeAll(async () => {
  service = await startService({ env: { LOGBOOM_WRITE_TOKEN: key, LOGBOOM_TOKEN_TCP_PORT: "0" } });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** The port that the newest start of the service has opened, as its log says. */
function tokenPort(): number {
  const ports = [...service.output.matchAll(/"LOGBOOM_TOKEN_TCP_PORT":(\d+)/g)];
  return Number(ports.at(-1)?.[1]);
}

async function sendLines(name: string, count: number): Promise<void> {
  const client = connect({ port: tokenPort(), host: "127.0.0.1" });
  client.on("error", () => {});
  await once(client, "connect");
  for (let line = 0; line < count; line += 100) {
    const lines = Array.from({ length: 100 }, (_, index) => `${key} ${name}-${line + index}.\n`);
    await new Promise<void>((resolve) => client.write(lines.join(""), () => resolve()));
  }
}

test("lines that were sent before SIGTERM are stored, each once, and the exit code is 0", async () => {
  await Promise.all(Array.from({ length: 20 }, (_, index) => sendLines(`client-${index}`, 2000)));
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  await service.start();
  await waitForCount(service, { regex: ".*client-\\d+-\\d+\\..*" }, 40_000);
});

test("Scalyr's events that are repeated after a kill are stored once", async () => {
  const send = async (numbers: readonly number[]): Promise<void> => {
    const events = numbers.map((sn) => `{si:"a",sn:${sn},attrs:{message:"place-${sn}."}}`);
    const response = await fetch(`${service.url}/addEvents`, {
      method: "POST",
      body: `{token:"${key}",session:"s",events:[${events.join(",")}]}`,
    });
    expect(await response.json()).toMatchObject({ status: "success" });
  };
  await send([1, 2, 3]);
  await service.killAll();
  await service.start();
  await send([1, 2, 3]);
  await send([3, 4]);
  await waitForCount(service, { regex: ".*place-\\d\\..*" }, 4);
});

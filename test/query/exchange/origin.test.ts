// Scheme and host of addresses in answers.
import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { originOf } from "../../../query/exchange/origin.ts";

const cases: readonly (readonly [headers: Record<string, string>, origin: string])[] = [
  [{ host: "127.0.0.1:7024" }, "http://127.0.0.1:7024"],
  [{ host: "logs.example" }, "http://logs.example"],
  [{ host: "logs.example", "x-forwarded-proto": "https" }, "https://logs.example"],
  [{ host: "logs.example:8443", "x-forwarded-proto": "https, http" }, "https://logs.example:8443"],
  // Clients that know no other host came through a front that ended their TLS.
  [{ host: "eu.rest.logs.insight.rapid7.com" }, "https://eu.rest.logs.insight.rapid7.com"],
  [{ host: "acme.loggly.com" }, "https://acme.loggly.com"],
  [{ host: "acme.loggly.com", "x-forwarded-proto": "http" }, "http://acme.loggly.com"],
  [{ host: "notloggly.com" }, "http://notloggly.com"],
  [{}, "http://127.0.0.1:80"],
];

test.each(cases)("%j is %s", (headers, origin) => {
  const request = { headers, socket: { localAddress: "127.0.0.1", localPort: 80 } };
  expect(originOf(request as unknown as IncomingMessage)).toBe(origin);
});

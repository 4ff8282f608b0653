// The address that a process says it serves.
import { expect, test } from "vitest";
import { urlOf } from "../../ingest/serve.ts";

test.each([
  ["127.0.0.1", "http://127.0.0.1:7024"],
  ["logs.example", "http://logs.example:7024"],
  ["::1", "http://[::1]:7024"],
])("for %s it is %s", (host, url) => {
  expect(urlOf(host, 7024)).toBe(url);
  expect(new URL(url).port).toBe("7024");
});

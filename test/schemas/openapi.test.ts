// The API description: valid, and true to the doors and the error catalogue.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { environment } from "../../schemas/config.ts";
import { errorCatalogue, LogboomError, type ErrorCode } from "../../schemas/errors.ts";
import { openApiDocument } from "../../schemas/openapi.ts";
import type { Door } from "../../ingest/protocols/door.ts";
import { logentriesDoor } from "../../ingest/protocols/logentries.ts";
import { logglyBulkDoor, logglyInputsDoor } from "../../ingest/protocols/loggly.ts";
import { logtraceDoor } from "../../ingest/protocols/logtrace.ts";
import { nativeDoor } from "../../ingest/protocols/native.ts";
import { scalyrAddEventsDoor } from "../../ingest/protocols/scalyr-add-events.ts";
import { scalyrUploadLogsDoor } from "../../ingest/protocols/scalyr-upload-logs.ts";
import { readSearchRequest, searchTypes } from "../../query/search/request.ts";
import { searchForm } from "../../schemas/api/search.ts";

interface Problem {
  readonly ruleId: string;
  readonly severity: string;
  readonly message: string;
  readonly location: readonly { readonly pointer?: string }[];
}

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly headers?: object }>
  >;
}

const operations: readonly (readonly [name: string, operation: Operation])[] = Object.entries(
  openApiDocument.paths,
).flatMap(([path, methods]) =>
  Object.entries(methods).map(
    ([method, operation]) => [`${method} ${path}`, operation as Operation] as const,
  ),
);

describe("redocly's recommended rules", () => {
  const redocly = fileURLToPath(new URL("../../node_modules/.bin/redocly", import.meta.url));
  let dir: string;
  let problems: readonly Problem[];

  /** What the linter finds in a document; it exits with 1 when that is an error. */
  async function lint(document: object): Promise<readonly Problem[]> {
    const path = join(dir, "openapi.json");
    writeFileSync(path, JSON.stringify(document));
    const run = promisify(execFile)(
      process.execPath,
      [redocly, "lint", path, "--extends", "recommended", "--format", "json"],
      {
        cwd: dir,
        env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
      },
    );
    const { stdout } = await run.catch((error: unknown) => error as { stdout: string });
    return (JSON.parse(stdout) as { problems: readonly Problem[] }).problems;
  }

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "logboom-openapi-"));
    problems = await lint(openApiDocument);
  });

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test.each(Object.keys(openApiDocument.paths))("find no fault at %s", (path) => {
    const pointer = `#/paths/${path.replaceAll("/", "~1")}`;
    const here = problems.filter(({ location }) =>
      location.some((place) => place.pointer?.startsWith(pointer)),
    );
    expect(here.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
  });

  test("find no fault anywhere else, and no warning", () => {
    expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
  });

  test("are really run: a document without a licence and with two equal ids has faults", async () => {
    const { license: _, ...info } = openApiDocument.info;
    const found = await lint({ ...openApiDocument, info, security: [{ nobody: [] }] });
    expect(found.map(({ ruleId }) => ruleId)).toEqual(
      expect.arrayContaining(["info-license", "security-defined"]),
    );
  });
});

describe("the error catalogue", () => {
  const described = operations.flatMap(([, { responses }]) =>
    Object.entries(responses).map(([status, { description }]) => ({ status, description })),
  );

  test.each(Object.keys(errorCatalogue) as ErrorCode[])(
    "%s is described by a response of its status",
    (code) => {
      const { status, sentence } = errorCatalogue[code];
      expect(described).toContainEqual({
        status: String(status),
        description: expect.stringContaining(`${code}: ${sentence}`),
      });
    },
  );

  test.each(operations)(
    "every response of %s names codes of its own status only",
    (_, { responses }) => {
      for (const [status, { description }] of Object.entries(responses)) {
        const named = [...description.matchAll(/\b([A-Z_]{6,}):/g)].map(
          ([, code]) => code as ErrorCode,
        );
        expect(named.map((code) => String(errorCatalogue[code].status))).toEqual(
          named.map(() => status),
        );
      }
    },
  );

  test("a reply that asks for patience says for how long", () => {
    for (const [name, { responses }] of operations) {
      for (const status of ["429", "503"]) {
        if (status in responses)
          expect(responses[status]?.headers, name).toHaveProperty("Retry-After");
      }
    }
  });

  const refusals: readonly ErrorCode[] = [
    "BAD_REQUEST",
    "BAD_TOKEN",
    "NO_PERMISSION",
    "METHOD_NOT_ALLOWED",
    "BODY_TIMEOUT",
    "TOO_LARGE",
    "UNSUPPORTED_MEDIA",
    "OVERLOADED",
    "INTERNAL",
  ];

  const doors: readonly Door[] = [
    nativeDoor,
    scalyrUploadLogsDoor,
    scalyrAddEventsDoor,
    logglyInputsDoor,
    logglyBulkDoor,
    logentriesDoor,
    logtraceDoor,
  ];

  test.each(doors)("every refusal at $path has a response of its status", (door) => {
    const [, operation] = operations.find(([name]) => name === `post ${door.path}`) ?? [];
    const described = Object.keys(operation?.responses ?? {});
    const request = { method: "POST", path: "/", query: new URLSearchParams(), headers: {} };
    const statuses = refusals.map((code) =>
      String(door.refused(new LogboomError(code, "x"), request).status),
    );
    expect(statuses.filter((status) => !described.includes(status))).toEqual([]);
  });
});

describe("the search form", () => {
  test("has the parameters, types and defaults that the service has", () => {
    const shape = searchForm.shape;
    const described = searchForm.parse({ customer: "acme", regex: "x" });
    const form = new URLSearchParams({ customer: "acme", regex: "x" });
    const withDefaults = new URLSearchParams(
      Object.entries(described).map(([name, value]): [string, string] => [name, String(value)]),
    );
    // The hash is over all parameters with their defaults applied.
    expect(readSearchRequest(withDefaults).fullHash).toBe(readSearchRequest(form).fullHash);
    // Two more belong to a poll and not to the search.
    expect(Object.keys(shape).length).toBe(13 + 2);
    expect(shape.type.unwrap().options).toEqual([...searchTypes]);
  });
});

test("the limits that the description names are the configuration's", () => {
  expect(JSON.stringify(openApiDocument)).toContain("LOGBOOM_MAX_EVENT_BYTES");
  const named = [...JSON.stringify(openApiDocument).matchAll(/LOGBOOM_[A-Z_]+/g)].map(
    ([name]) => name,
  );
  expect(named.filter((name) => !(name in environment))).toEqual([]);
});

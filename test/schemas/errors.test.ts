// The catalogue of errors, and what a caller gets to see of one.
import { describe, expect, test } from "vitest";
import {
  errorCatalogue,
  LogboomError,
  toLogboomError,
  type ErrorCode,
} from "../../schemas/errors.ts";

const codes = Object.keys(errorCatalogue) as ErrorCode[];

describe.each(codes)("%s", (code) => {
  const { status, sentence, isRetriable } = errorCatalogue[code];

  test("has an error's HTTP status and a lower-case sentence without a full stop", () => {
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(sentence).toMatch(/^[a-z].*[^.]$/);
  });

  test("is retriable exactly when its status says so", () => {
    expect(isRetriable).toBe([408, 429].includes(status) || status >= 500);
  });

  test("gives its status to an error of it", () => {
    expect(new LogboomError(code, "a message").status).toBe(status);
  });
});

test("an error carries its details, its cause and when to come again", () => {
  const cause = new Error("disk");
  const error = new LogboomError("OVERLOADED", "full", {
    cause,
    details: { limit: 5 },
    retryAfterSeconds: 2,
  });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: "LogboomError",
    code: "OVERLOADED",
    message: "full",
    details: { limit: 5 },
    retryAfterSeconds: 2,
    cause,
  });
  expect(new LogboomError("NOT_FOUND", "x")).toMatchObject({
    details: {},
    retryAfterSeconds: undefined,
  });
});

test("an error of ours is passed on as it is", () => {
  const error = new LogboomError("BAD_REGEX", "x");
  expect(toLogboomError(error)).toBe(error);
});

test.each([
  [new TypeError("password=hunter2")],
  ["a text"],
  [undefined],
  [null],
  [{ code: "BAD_REQUEST" }],
])("anything else becomes INTERNAL and loses its text: %s", (thrown) => {
  const error = toLogboomError(thrown);
  expect(error).toMatchObject({ code: "INTERNAL", status: 500, details: {}, cause: thrown });
  expect(error.message).toBe(errorCatalogue.INTERNAL.sentence);
});

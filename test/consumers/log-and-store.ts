// A log and a store for the tests of a file that consume the one into the other.
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { openTempLog, type TempLog } from "../ingest/log/log-fixture.ts";
import { openTestStore, type TestStore } from "./store/store-fixture.ts";

/** Both are there while a test runs. */
interface LogAndStore {
  readonly store: TestStore;
  readonly temp: TempLog;
  /** Appends a record to the partition 1. */
  append(value: Buffer): Promise<void>;
}

/** One store for all tests of the file, empty for each, and a log for each. */
export function useLogAndStore(): LogAndStore {
  let store: TestStore;
  let temp: TempLog;

  beforeAll(async () => {
    store = await openTestStore();
  });

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    for (const table of ["events", "streams"]) {
      await store.writer.command({ query: `TRUNCATE TABLE ${table}` });
    }
    temp = await openTempLog();
  });

  afterEach(async () => {
    await temp[Symbol.asyncDispose]();
  });

  return {
    get store() {
      return store;
    },
    get temp() {
      return temp;
    },
    append: async (value) => {
      await temp.log.append([{ stream: "events", partition: 1, value }]);
    },
  };
}

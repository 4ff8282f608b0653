// Jobs: a short one is answered at once, a long one polled for, one that nobody polls is stopped.
import { afterEach, expect, test } from "vitest";
import { Jobs } from "../../../query/ask/jobs.ts";
import type { Asking } from "../../../query/ask/question.ts";

let jobs = new Jobs();

afterEach(async () => {
  await jobs.close();
  jobs = new Jobs();
});

/** A job that ends when told, or when it is stopped. */
function openEnded() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let asked: Asking | undefined;
  let starts = 0;
  const start = (asking: Asking): Promise<string> => {
    starts++;
    asked = asking;
    asking.signal.addEventListener("abort", () => reject(asking.signal.reason as Error));
    return promise;
  };
  return { start, resolve, reject, starts: () => starts, asking: () => asked };
}

test("a job that ends in time is answered at once, and asked anew the next time", async () => {
  let runs = 0;
  const run = () => jobs.poll("a", () => Promise.resolve(++runs), 60_000);
  expect(await run()).toEqual({ isDone: true, result: 1 });
  expect(await run()).toEqual({ isDone: true, result: 2 });
});

test("a long one tells how far it is, is joined by its name, and keeps its answer until it is asked for", async () => {
  const job = openEnded();
  expect(await jobs.poll("a", job.start, 1)).toEqual({ isDone: false, percent: 0 });
  job.asking()?.onProgress?.({ doneBlocks: 5, blocks: 10 });
  expect(await jobs.poll("a", job.start, 1)).toEqual({ isDone: false, percent: 49 });
  job.resolve("done");
  expect(await jobs.poll("a", job.start, 60_000)).toEqual({ isDone: true, result: "done" });
  expect(job.starts()).toBe(1);
});

test("jobs of other names are their own", async () => {
  const [one, other] = [openEnded(), openEnded()];
  await jobs.poll("one", one.start, 1);
  await jobs.poll("other", other.start, 1);
  expect([one.starts(), other.starts()]).toEqual([1, 1]);
});

test("a failure is told, and the next poll tries anew", async () => {
  const failure = new Error("it failed");
  await expect(jobs.poll("a", () => Promise.reject(failure), 60_000)).rejects.toBe(failure);
  expect(await jobs.poll("a", () => Promise.resolve("well"), 60_000)).toMatchObject({
    result: "well",
  });
});

test("more than a hundred at a time are refused", async () => {
  for (let n = 0; n < 100; n++) await jobs.poll(String(n), openEnded().start, 0);
  await expect(jobs.poll("one more", openEnded().start, 0)).rejects.toMatchObject({
    code: "RATE_LIMITED",
    retryAfterSeconds: 2,
  });
});

test("closing stops what runs", async () => {
  const job = openEnded();
  await jobs.poll("a", job.start, 1);
  await jobs.close();
  expect(job.asking()?.signal.aborted).toBe(true);
});

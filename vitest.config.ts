// The suites: fast ones of single files, and slow ones that start the whole service.
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { drivers } from "./test/clients/drivers.ts";
import { whyNoKafka } from "./test/support/kafka.ts";
import { findChromium } from "./test/support/chromium.ts";
import LongestFirst from "./test/support/longest-first.ts";
import { missingTools } from "./test/support/tools.ts";

const needsStore = [
  "test/consumers/**/*.test.ts",
  "test/query/**/*.test.ts",
  "test/e2e/**/*.test.ts",
  "test/pages/**/*.test.ts",
];
const canRunStore = hasStoreLibrary();
if (!canRunStore) {
  console.log(
    `not run: ${needsStore.join(", ")}: npm has no ClickHouse for ${process.platform}-${process.arch}; use Linux (glibc) or macOS`,
  );
}
const needsKafka = ["test/**/kafka/*.test.ts", "test/deployment/compose-run.test.ts"];
const faults = ["test/e2e/kafka/fault-matrix.test.ts", "test/ingest/log/kafka/faults.test.ts"];
const noKafka = whyNoKafka();
if (noKafka !== undefined) console.log(`not run: ${needsKafka.join(", ")}: ${noKafka}`);

const needsTools = ["test/deployment/**/*.test.ts"];
const absentTools = missingTools();
if (absentTools.length > 0) {
  console.log(
    `not run: ${needsTools.join(", ")}: no ${absentTools.join(", ")}; .ci/tools.sh gets them`,
  );
}

const needsChromium = ["test/pages/**/*.test.ts"];
const hasChromium = findChromium() !== undefined;
if (!hasChromium) {
  console.log(`not run: ${needsChromium.join(", ")}: no chromium; .ci/tools.sh gets it`);
}

const needsClients = ["test/clients/**/*.test.ts"];
if (drivers.length === 0) {
  console.log(`not run: ${needsClients.join(", ")}: no ../shared/clients beside the checkout`);
}

/** Suites that wait more than they work, and have topics, ports and folders of their own: two files at a time. */
const together = { maxWorkers: 2, sequence: { groupOrder: 2 } };

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/closing-line-reporter.ts"],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/{schemas,ingest,consumers,query,bench}/**/*.test.ts"],
          exclude: canRunStore ? needsKafka : [...needsKafka, ...needsStore],
          // By itself it would leave a core of two idle.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "deployment",
          include: needsTools,
          exclude: [
            ...(canRunStore && absentTools.length === 0 ? [] : needsTools),
            ...(noKafka === undefined ? [] : needsKafka),
          ],
          ...together,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "end-to-end",
          include: ["test/e2e/**/*.test.ts"],
          exclude: canRunStore ? needsKafka : [...needsKafka, ...needsStore],
          // Each file starts services of its own; with three at a time one of them misses its idle moments.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "pages",
          include: needsChromium,
          exclude: canRunStore && hasChromium ? [] : needsChromium,
          ...together,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "clients",
          include: needsClients,
          exclude: canRunStore && drivers.length > 0 ? [] : needsClients,
          ...together,
        },
      },
      {
        extends: true,
        test: {
          name: "kafka",
          include: noKafka === undefined ? ["test/**/kafka/*.test.ts"] : [],
          exclude: [...faults, ...(canRunStore ? [] : needsStore)],
          ...(noKafka === undefined && { globalSetup: ["./test/support/kafka-setup.ts"] }),
          ...together,
          testTimeout: 240_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "fault-matrix",
          include: canRunStore && noKafka === undefined ? faults : [],
          // Three brokers, six more processes and their load are enough for two cores, and pauses are measured.
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          testTimeout: 240_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});

function hasStoreLibrary(): boolean {
  const libc = process.platform === "linux" ? "-gnu" : "";
  try {
    createRequire(import.meta.url).resolve(
      `@chdb/lib-${process.platform}-${process.arch}${libc}/package.json`,
    );
    return true;
  } catch {
    return false;
  }
}

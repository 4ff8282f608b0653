// Begins with the files that take longest, so that no worker of a group has one left while the others are idle.
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes half a minute and more, the longest first. Without these lines the order is that of the files' sizes. */
const longest: readonly string[] = [
  "test/bench/bench.test.ts",
  "test/consumers/store/insert.test.ts",
  "test/e2e/kill.test.ts",
  "test/e2e/answers.test.ts",
  "test/e2e/drain.test.ts",
  "test/e2e/search-arrivals.test.ts",
  "test/e2e/bad-input-memory.test.ts",
  "test/e2e/search-load.test.ts",
  "test/e2e/ingest-forms.test.ts",
  "test/e2e/search-life.test.ts",
  "test/pages/consumption-page.test.ts",
  "test/ingest/log/kafka/faults.test.ts",
  "test/ingest/log/kafka/kafka-log.test.ts",
  "test/e2e/kafka/kill.test.ts",
  "test/deployment/compose-run.test.ts",
  "test/clients/clients.test.ts",
  "test/ingest/log/kafka/secured.test.ts",
];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const root = this.ctx.config.root;
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = longest.indexOf(relative(root, moduleId));
      return index === -1 ? longest.length : index;
    };
    // Vitest keeps the groups apart by itself.
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}

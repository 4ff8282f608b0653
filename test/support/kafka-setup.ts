// Starts one broker for all tests of the project "kafka", and ends it after them.
import type { TestProject } from "vitest/node";
import { KafkaCluster } from "./kafka.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** host:port */
    kafkaBrokers: string[];
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await KafkaCluster.start(1);
  project.provide("kafkaBrokers", cluster.brokers);
  return () => cluster[Symbol.asyncDispose]();
}

// A Kafka that asks for TLS, a name and a password: the configuration says all that is needed, and errors say no secret.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig } from "../../../../schemas/config.ts";
import { openLog } from "../../../../ingest/log/open.ts";
import { KafkaCluster, kafkaUser } from "../../../support/kafka.ts";
import { eventRecord, makeTempDir, readAllText } from "../log-fixture.ts";

let cluster: KafkaCluster;
let temp: ReturnType<typeof makeTempDir>;
let output: string;

beforeAll(async () => {
  cluster = await KafkaCluster.start(1, true);
  temp = makeTempDir();
  output = "";
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  temp.remove();
});

function open(env: Readonly<Record<string, string>>) {
  const config = readConfig({
    LOGBOOM_DATA_DIR: temp.dir,
    LOGBOOM_KAFKA_BROKERS: cluster.brokers.join(","),
    LOGBOOM_KAFKA_REPLICATION: "1",
    LOGBOOM_KAFKA_PARTITIONS: "4",
    LOGBOOM_KAFKA_TLS: "on",
    LOGBOOM_KAFKA_CA_FILE: cluster.caFile,
    ...env,
  });
  const logger = pino({ level: "trace" }, { write: (line: string) => void (output += line) });
  return openLog(config, logger);
}

test.each(["plain", "scram-sha-256", "scram-sha-512"])(
  "is written to and read by %s over TLS",
  async (mechanism) => {
    const passwordFile = join(temp.dir, "password");
    writeFileSync(passwordFile, `${kafkaUser.password}\n`);
    const log = await open({
      LOGBOOM_KAFKA_TOPIC_PREFIX: mechanism,
      LOGBOOM_KAFKA_SASL: `${mechanism}:${kafkaUser.name}`,
      LOGBOOM_KAFKA_PASSWORD: mechanism === "plain" ? kafkaUser.password : `file:${passwordFile}`,
    });
    try {
      await log.append([eventRecord(1, "a")]);
      expect(await readAllText(log)).toEqual(["a"]);
    } finally {
      await log.close();
    }
    expect(output).not.toContain(kafkaUser.password);
  },
);

test("refuses a wrong password, and nobody repeats it", async () => {
  const failure = await open({
    LOGBOOM_KAFKA_SASL: `scram-sha-512:${kafkaUser.name}`,
    LOGBOOM_KAFKA_PASSWORD: "a wrong one",
  }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "UNAVAILABLE" });
  expect(String(failure)).toMatch(/authentication|Authentication/);
  expect(String(failure) + output).not.toContain("a wrong one");
});

test("is not spoken to when its certificate is not trusted", async () => {
  await expect(
    openLog(
      readConfig({
        LOGBOOM_DATA_DIR: temp.dir,
        LOGBOOM_KAFKA_BROKERS: cluster.brokers.join(","),
        LOGBOOM_KAFKA_TLS: "on",
      }),
      pino({ level: "silent" }),
    ),
  ).rejects.toMatchObject({ code: "UNAVAILABLE" });
});

// The topics of the log: created with what durability needs, and verified at every start.
import { randomInt } from "node:crypto";
import type { Admin } from "kafkajs";
import { LogboomError } from "../../../schemas/errors.ts";
import { bucketCount, maxPartitions } from "../../../schemas/partition.ts";
import { ConfigResourceTypes, REQUEST_TIMEOUT_MS } from "./client.ts";
import { askUntilSettled } from "./settle.ts";

/** The largest event there may be (16 MiB), its record around it, and room. */
const MAX_RECORD_BYTES = 32 * 1024 * 1024;
const HOUR_MS = 3_600_000;
const ID_SETTING = "delete.retention.ms";
/** Longer than any receipt is kept. */
const RECEIPT_RETENTION_MS = 48 * HOUR_MS;

export interface TopicOptions {
  /** Names begin with it, so that several logs fit one cluster. */
  readonly prefix: string;
  /** of a new events topic; a multiple of the store's buckets */
  readonly partitions: number;
  readonly replication: number;
  readonly retentionHours: number;
}

export interface Topics {
  readonly events: string;
  readonly accounts: string;
  readonly deadLetters: string;
  readonly usage: string;
  readonly replays: string;
  readonly receipts: string;
  readonly partitionCount: number;
  /** in-sync replicas that an acknowledgement of events needs */
  readonly minInSync: number;
  /** Names the events topic for ever: one deleted and created anew has another. */
  readonly logId: string;
}

/** @throws LogboomError UNAVAILABLE naming the topic and the setting that is not as it has to be. */
export async function ensureTopics(admin: Admin, options: TopicOptions): Promise<Topics> {
  const { prefix, replication, retentionHours } = options;
  const names = {
    events: `${prefix}.events`,
    accounts: `${prefix}.accounts`,
    deadLetters: `${prefix}.dead-letters`,
    usage: `${prefix}.usage`,
    replays: `${prefix}.replays`,
    receipts: `${prefix}.receipts`,
  };
  const existing = new Set(await admin.listTopics());
  const compacted = { "cleanup.policy": "compact", "segment.ms": String(HOUR_MS) };
  await ensure(admin, existing, names.events, options.partitions, replication, {
    "cleanup.policy": "delete",
    "retention.ms": String(retentionHours * HOUR_MS),
    "retention.bytes": "-1",
    // Of no effect on a topic that is not compacted: a place for a number that is born and dies with it.
    [ID_SETTING]: String(2 ** 47 + randomInt(2 ** 47)),
  });
  for (const name of [names.accounts, names.deadLetters, names.usage, names.replays]) {
    await ensure(admin, existing, name, 1, replication, compacted);
  }
  await ensure(admin, existing, names.receipts, 1, replication, {
    "cleanup.policy": "delete",
    "retention.ms": String(RECEIPT_RETENTION_MS),
    "segment.ms": String(HOUR_MS),
  });

  const { topics } = await admin.fetchTopicMetadata({ topics: [names.events] });
  const partitionCount = topics[0]?.partitions.length ?? 0;
  if (
    partitionCount === 0 ||
    partitionCount % bucketCount !== 0 ||
    partitionCount > maxPartitions
  ) {
    const expected = `a multiple of ${bucketCount} up to ${maxPartitions}`;
    throw wrong(names.events, "partitions", partitionCount, expected);
  }
  const settings = await readSettings(admin, names.events);
  const { clusterId } = await admin.describeCluster();
  const logId = `${clusterId}/${names.events}/${settings.get(ID_SETTING)}`;
  const minInSync = Number(settings.get("min.insync.replicas"));
  return { ...names, partitionCount, minInSync, logId };
}

/** Acknowledged means on this many replicas: a majority, so that one may be away. */
function majority(replication: number): number {
  return Math.floor(replication / 2) + 1;
}

async function ensure(
  admin: Admin,
  existing: ReadonlySet<string>,
  topic: string,
  partitions: number,
  replication: number,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const durable = {
    "min.insync.replicas": String(majority(replication)),
    "unclean.leader.election.enable": "false",
    "compression.type": "producer",
    "max.message.bytes": String(MAX_RECORD_BYTES),
    "message.timestamp.type": "LogAppendTime",
  };
  if (!existing.has(topic)) {
    const configEntries = Object.entries({ ...durable, ...settings });
    const create = () =>
      admin.createTopics({
        timeout: REQUEST_TIMEOUT_MS,
        topics: [
          {
            topic,
            numPartitions: partitions,
            replicationFactor: replication,
            configEntries: configEntries.map(([name, value]) => ({ name, value })),
          },
        ],
      });
    // Where it is there, as another process may have created it, this does nothing. A broker under load
    // may say for a moment that it does not know what it has just created.
    await askUntilSettled(create);
  }
  const found = await readSettings(admin, topic);
  const atLeast = (name: "min.insync.replicas" | "max.message.bytes"): void => {
    if (Number(found.get(name)) < Number(durable[name])) {
      throw wrong(topic, name, found.get(name), `at least ${durable[name]}`);
    }
  };
  atLeast("min.insync.replicas");
  atLeast("max.message.bytes");
  for (const [name, value] of Object.entries({
    "unclean.leader.election.enable": "false",
    "message.timestamp.type": "LogAppendTime",
    "cleanup.policy": settings["cleanup.policy"],
  })) {
    if (found.get(name) !== value) throw wrong(topic, name, found.get(name), String(value));
  }
}

async function readSettings(admin: Admin, topic: string): Promise<Map<string, string>> {
  const describe = () =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
    });
  // Another process may have created it a moment ago.
  const { resources } = await askUntilSettled(describe);
  const entries = resources[0]?.configEntries ?? [];
  return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
}

function wrong(topic: string, setting: string, value: unknown, expected: string): LogboomError {
  return new LogboomError(
    "UNAVAILABLE",
    `the Kafka topic "${topic}" has ${setting} "${String(value)}"; expected ${expected}`,
    { details: { topic, setting, limit: expected } },
  );
}

// The streams of the data set: 200 hosts, each with its system logs and the pods that its role brings.
import { KINDS, type Kind } from "./lines.ts";
import { Random } from "./random.ts";
import { createVocabulary, type Vocabulary } from "./vocabulary.ts";

const PODS_A_HOST = 26;
const PICK_TABLE_SIZE = 1 << 18;

/** One context: the four labels, what its lines need to know, and its part of an NDJSON line. */
export interface Stream {
  readonly number: number;
  readonly kind: Kind;
  readonly host: string;
  readonly service: string;
  readonly namespace: string;
  readonly version: string;
  readonly vocabulary: Vocabulary;
  readonly prefixes: readonly [string, string, string, string];
  /** The text between the time and the message of an NDJSON line. */
  readonly head: string;
}

const SYSTEM_SERVICES: readonly (readonly [string, Kind, string])[] = [
  ["kernel", "syslog", "/var/log/kern.log"],
  ["sshd", "syslog", "/var/log/auth.log"],
  ["systemd", "syslog", "/var/log/syslog"],
  ["cron", "syslog", "/var/log/cron.log"],
  ["kubelet", "kubernetes", "/var/log/kubelet.log"],
  ["containerd", "kubernetes", "/var/log/containerd.log"],
];

const WEB = named("web", "ingress-nginx edge-nginx static-nginx api-gateway");
const APPS = [
  ...named("json", "checkout cart catalog search auth profile mail pricing recommend webhooks"),
  ...named("java", "billing inventory shipping ledger fulfilment reporting risk tax"),
];
const DATABASES = named("postgres", "postgres-orders postgres-users");

/** Half of the hosts run anything, the other half what they are named for, as grown systems do. */
const ROLES = [
  { name: "node", hosts: 100, services: [...WEB, ...APPS, ...DATABASES] },
  { name: "edge", hosts: 40, services: WEB },
  { name: "app", hosts: 40, services: APPS },
  { name: "db", hosts: 20, services: DATABASES },
] as const;

function named(kind: Kind, services: string): [string, Kind][] {
  return services.split(" ").map((service) => [service, kind]);
}

function createStream(
  number: number,
  kind: Kind,
  prefixes: Stream["prefixes"],
  vocabulary: Vocabulary,
  random: Random,
): Stream {
  const [host, service, file, output] = prefixes;
  return {
    number,
    kind,
    host,
    service,
    namespace: random.pick(["shop", "core", "platform"]),
    version: `${1 + random.below(4)}.${random.below(30)}.${random.below(10)}`,
    vocabulary,
    prefixes,
    head: `","prefix0":"${host}","prefix1":"${service}","prefix2":"${file}","prefix3":"${output}","message":`,
  };
}

/** All 6,400 streams, the same for the same seed. */
export function createStreams(seed: number): Stream[] {
  const random = new Random(seed);
  const streams: Stream[] = [];
  const vocabularies = new Map<string, Vocabulary>();
  const vocabularyOf = (service: string): Vocabulary => {
    const known = vocabularies.get(service) ?? createVocabulary(service, seed + vocabularies.size);
    vocabularies.set(service, known);
    return known;
  };
  for (const { name: role, hosts, services } of ROLES) {
    for (let number = 0; number < hosts; number++) {
      const region = random.pick(["eu1", "eu2", "us1"]);
      const host = `prod-${region}-${role}-${String(number).padStart(3, "0")}`;
      for (const [service, kind, file] of SYSTEM_SERVICES) {
        const labels = [host, service, file, ""] as const;
        streams.push(createStream(streams.length, kind, labels, vocabularyOf(service), random));
      }
      for (let pod = 0; pod < PODS_A_HOST; pod++) {
        const [service, kind] = random.pick(services);
        const name = `${service}-${random.hex8()}-${random.hex4()}`;
        const output = random.chance(0.9) ? "stdout" : "stderr";
        const labels = [host, service, name, output] as const;
        streams.push(createStream(streams.length, kind, labels, vocabularyOf(service), random));
      }
    }
  }
  return streams;
}

/** A table in which each stream stands as often as its share of the events is: an event picks any place of it. */
export function createPickTable(streams: readonly Stream[], seed: number): Uint16Array {
  const random = new Random(seed ^ 0x5eed);
  const weights = streams.map(() => random.longTailed(1));
  const totals = new Map<Kind, number>();
  streams.forEach((stream, index) => {
    totals.set(stream.kind, (totals.get(stream.kind) ?? 0) + (weights[index] ?? 0));
  });
  const table = new Uint16Array(PICK_TABLE_SIZE);
  let filled = 0;
  let sum = 0;
  streams.forEach((stream, index) => {
    sum += ((weights[index] ?? 0) / (totals.get(stream.kind) ?? 1)) * KINDS[stream.kind].share;
    const until = Math.min(PICK_TABLE_SIZE, Math.round(sum * PICK_TABLE_SIZE));
    table.fill(index, filled, until);
    filled = until;
  });
  return table.fill(streams.length - 1, filled);
}

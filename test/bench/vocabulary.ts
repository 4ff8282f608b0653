// What the programs of one service say again and again: its paths, statements, classes, messages and stack traces.
// Real streams differ from each other and repeat themselves; a store sorted by stream lives on that.
import { Random } from "./random.ts";

const VERBS =
  "reserved released published consumed refreshed rejected accepted loaded stored expired validated merged scheduled cancelled resolved replayed indexed notified charged refunded".split(
    " ",
  );
const NOUNS =
  "order cart session invoice payment shipment stock price coupon profile address token webhook report ledger batch partition snapshot catalogue recommendation".split(
    " ",
  );
const CAUSES =
  "from the cache|after a retry|for the customer|by the nightly job|within the time limit|because of a newer version|on behalf of the gateway|without changes|in the background|during the rollout".split(
    "|",
  );
const ROLES = "Service Repository Controller Writer Listener Planner Gateway Resolver".split(" ");
const FRAMEWORKS =
  "org.springframework.web.servlet.FrameworkServlet org.springframework.aop.framework.CglibAopProxy org.hibernate.engine.jdbc.spi.SqlExceptionHelper java.util.concurrent.ThreadPoolExecutor io.netty.channel.AbstractChannelHandlerContext org.apache.kafka.clients.consumer.KafkaConsumer com.zaxxer.hikari.pool.HikariPool org.apache.catalina.core.ApplicationFilterChain jdk.internal.reflect.DirectMethodHandleAccessor".split(
    " ",
  );
const CALLS = "invoke execute handle doFilter process run call submit poll commit".split(" ");
const EXCEPTIONS = [
  "java.net.SocketTimeoutException: Read timed out",
  "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms",
  "org.hibernate.StaleObjectStateException: Row was updated or deleted by another transaction",
  "java.lang.IllegalStateException: already shipped",
  'java.lang.NullPointerException: Cannot invoke "String.length()" because "name" is null',
  "java.lang.OutOfMemoryError: Java heap space",
];

export interface Vocabulary {
  readonly paths: readonly string[];
  readonly messages: readonly string[];
  readonly classes: readonly string[];
  readonly statements: readonly string[];
  readonly traces: readonly string[];
  /** Fields that only this service's JSON lines carry. */
  readonly fields: string;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function createTrace(random: Random, service: string, classes: readonly string[]): string {
  let trace = random.pick(EXCEPTIONS);
  const frames = 4 + random.skewed(20);
  for (let frame = 0; frame < frames; frame++) {
    const isOurs = frame < 4 || random.chance(0.1);
    const name = isOurs ? random.pick(classes) : random.pick(FRAMEWORKS);
    const place = isOurs ? `com.example.${service}.${name}` : name;
    trace += `\n\tat ${place}.${random.pick(CALLS)}(${name.slice(name.lastIndexOf(".") + 1)}.java:${random.below(900)})`;
  }
  return random.chance(0.3)
    ? `${trace}\nCaused by: ${random.pick(EXCEPTIONS)}\n\t... ${frames + 12} more`
    : trace;
}

function createStatement(random: Random): string {
  const [table, other] = [`${random.pick(NOUNS)}s`, random.pick(NOUNS)];
  const forms = [
    `SELECT id, state, ${other}_id, updated_at FROM ${table} WHERE id = `,
    `SELECT count(*) FROM ${table} WHERE ${other}_id = `,
    `UPDATE ${table} SET state = 'done', updated_at = now() WHERE id = `,
    `INSERT INTO ${table} (${other}_id, state) SELECT id, 'new' FROM ${other}s WHERE id = `,
  ];
  return random.pick(forms);
}

export function createVocabulary(service: string, seed: number): Vocabulary {
  const random = new Random(seed);
  const many = <T>(count: number, create: () => T): T[] => Array.from({ length: count }, create);
  const classes = many(12, () => capital(random.pick(NOUNS)) + random.pick(ROLES));
  return {
    classes,
    paths: many(
      24,
      () => `/api/v${random.chance(0.8) ? 1 : 2}/${random.pick(NOUNS)}s/${random.pick(NOUNS)}/`,
    ),
    messages: many(24, () => `${random.pick(VERBS)} ${random.pick(NOUNS)} ${random.pick(CAUSES)}`),
    statements: many(24, () => createStatement(random)),
    traces: many(20, () => createTrace(random, service, classes)),
    fields: `"${random.pick(NOUNS)}_kind":"${random.pick(VERBS)}","region":"${random.pick(["eu-central-1", "eu-west-3", "us-east-2"])}"`,
  };
}

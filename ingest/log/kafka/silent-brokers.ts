// Brokers that are away or let a request time out: until they answer again, others are asked who leads and who coordinates.
//
// kafkajs 2.2.4 takes a broker that hangs for connected: it sends its requests there again, asks it who leads, waits for
// it before it lets go of it, and keeps it as the coordinator of a group, each until requests have timed out. A coordinator
// that is away it tries to reach four times, and then gives up its membership, for whose end the group waits. All its
// clients of this process share what is known here.

/** The parts of kafkajs that are changed, as modules of its own `src` folder. */
export interface KafkaJsParts {
  readonly Connection: Prototype<Connection>;
  readonly SocketRequest: Prototype<SocketRequest>;
  readonly RequestQueue: Prototype<RequestQueue>;
  readonly Broker: Prototype<Broker>;
  readonly BrokerPool: Prototype<BrokerPool>;
  readonly ConsumerGroup: Prototype<ConsumerGroup>;
  readonly OffsetManager: Prototype<OffsetManager>;
  readonly RequestTimeoutError: new (message: string) => Error;
}

interface Prototype<Instance> {
  readonly prototype: Instance;
}

interface Connection {
  /** host:port */
  readonly broker: string;
  connect(): Promise<unknown>;
}

interface SocketRequest {
  /** host:port */
  readonly broker: string;
  timeoutRequest(): void;
}

interface RequestQueue {
  /** host:port */
  readonly broker: string;
  fulfillRequest(response: unknown): void;
}

interface Broker {
  readonly brokerAddress: string;
  isConnected(): boolean;
  disconnect(): Promise<void>;
  produce(request: unknown): Promise<unknown>;
}

interface BrokerPool {
  readonly brokers: Readonly<Record<string, Broker>>;
  readonly metadataMaxAge: number;
  metadataExpireAt: number | null;
  findBroker(wanted: { readonly nodeId: string }): Promise<Broker>;
  findConnectedBroker(): Promise<Broker>;
  withBroker(ask: Ask): Promise<unknown>;
  refreshMetadataIfNecessary(topics: readonly string[]): Promise<unknown>;
}

type Ask = (asked: { readonly nodeId: string; readonly broker: Broker }) => Promise<unknown>;

interface Cluster {
  findGroupCoordinator(of: { readonly groupId: string }): Promise<Broker>;
}

interface Coordinated {
  readonly cluster: Cluster;
  readonly groupId: string;
  coordinator: Broker | null;
}

interface ConsumerGroup extends Coordinated {
  heartbeat(options: unknown): Promise<void>;
}

interface OffsetManager extends Coordinated {
  getCoordinator(): Promise<Broker>;
}

/** Who leads is asked anew so often while a broker of the cluster is silent. */
const METADATA_AGE_MS = 500;
/** Appends fail at once for so long after one has timed out: kafkajs sends them to a broker one after the other. */
const PRODUCE_PAUSE_MS = 1_000;

/** When a request timed out or no connection was made last, ms of Date.now, by host:port. */
const silentSince = new Map<string, number>();

const isSilent = ({ brokerAddress }: Broker): boolean => silentSince.has(brokerAddress);

export function leaveSilentBrokers(parts: KafkaJsParts): void {
  replace(parts.Connection.prototype, "connect", (connect) => {
    return async function (this: Connection) {
      try {
        return await connect.call(this);
      } catch (error) {
        silentSince.set(this.broker, Date.now());
        throw error;
      }
    };
  });
  const { prototype: request } = parts.SocketRequest;
  replace(request, "timeoutRequest", (timeOut) => {
    return function (this: SocketRequest) {
      silentSince.set(this.broker, Date.now());
      timeOut.call(this);
    };
  });
  const { prototype: queue } = parts.RequestQueue;
  replace(queue, "fulfillRequest", (fulfill) => {
    return function (this: RequestQueue, response) {
      silentSince.delete(this.broker);
      fulfill.call(this, response);
    };
  });
  changeBroker(parts.Broker.prototype, parts.RequestTimeoutError);
  changePool(parts.BrokerPool.prototype);
  replace(parts.ConsumerGroup.prototype, "heartbeat", (heartbeat) => {
    return async function (this: ConsumerGroup, options) {
      await findCoordinatorAnew(this);
      return heartbeat.call(this, options);
    };
  });
  replace(parts.OffsetManager.prototype, "getCoordinator", (getCoordinator) => {
    return async function (this: OffsetManager) {
      await findCoordinatorAnew(this);
      return getCoordinator.call(this);
    };
  });
}

function changeBroker(
  broker: Broker,
  RequestTimeoutError: KafkaJsParts["RequestTimeoutError"],
): void {
  replace(broker, "produce", (produce) => {
    return async function (this: Broker, request) {
      const since = silentSince.get(this.brokerAddress) ?? 0;
      if (Date.now() - since < PRODUCE_PAUSE_MS) {
        throw new RequestTimeoutError(`${this.brokerAddress} does not answer`);
      }
      return produce.call(this, request);
    };
  });
  replace(broker, "disconnect", (disconnect) => {
    return async function (this: Broker) {
      const disconnecting = disconnect.call(this);
      // It waits for what is under way there.
      if (isSilent(this)) disconnecting.catch(() => {});
      else await disconnecting;
    };
  });
}

function changePool(pool: BrokerPool): void {
  const trusted = (brokers: BrokerPool["brokers"]): string[] =>
    Object.entries(brokers)
      .filter(([, broker]) => !isSilent(broker))
      .toSorted(([, a], [, b]) => Number(b.isConnected()) - Number(a.isConnected()))
      .map(([nodeId]) => nodeId);
  const hasSilent = ({ brokers }: BrokerPool): boolean => Object.values(brokers).some(isSilent);

  replace(pool, "findConnectedBroker", (find) => {
    return async function (this: BrokerPool) {
      if (hasSilent(this)) {
        for (const nodeId of trusted(this.brokers)) {
          const broker = await this.findBroker({ nodeId }).catch(() => undefined);
          if (broker !== undefined) return broker;
        }
      }
      return find.call(this);
    };
  });
  replace(pool, "withBroker", (askAny) => {
    return async function (this: BrokerPool, ask) {
      if (hasSilent(this)) {
        for (const nodeId of trusted(this.brokers)) {
          try {
            return await ask({ nodeId, broker: await this.findBroker({ nodeId }) });
          } catch {
            // the next one may know
          }
        }
      }
      return askAny.call(this, ask);
    };
  });
  replace(pool, "refreshMetadataIfNecessary", (refresh) => {
    return async function (this: BrokerPool, topics) {
      const { metadataExpireAt, metadataMaxAge } = this;
      const ageMs = Date.now() - ((metadataExpireAt ?? 0) - metadataMaxAge);
      if (hasSilent(this) && ageMs > METADATA_AGE_MS) this.metadataExpireAt = null;
      return refresh.call(this, topics);
    };
  });
}

async function findCoordinatorAnew(member: Coordinated): Promise<void> {
  const { cluster, groupId, coordinator } = member;
  if (coordinator === null || !isSilent(coordinator)) return;
  const found = await cluster.findGroupCoordinator({ groupId }).catch(() => undefined);
  if (found !== undefined) member.coordinator = found;
}

function replace<Owner extends object, Name extends keyof Owner>(
  owner: Owner,
  name: Name,
  wrap: (former: Owner[Name]) => Owner[Name],
): void {
  owner[name] = wrap(owner[name]);
}

// Closes the connections to a broker that let a request time out.
//
// kafkajs 2.2.4 goes on taking them for connected, so it would ask a broker that hangs who leads now. A broker that was
// only slow is connected to again at once.
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type * as KafkaJs from "kafkajs";

const KEEP_ALIVE_MS = 60_000;

/** The connections of one kafkajs client. */
export class Connections {
  readonly #byBroker = new Map<string, Set<Socket>>();

  /** Connects as kafkajs does by itself. */
  readonly open: KafkaJs.ISocketFactory = ({ host, port, ssl, onConnect }) => {
    const isName = isIP(host) === 0;
    const socket = ssl
      ? connectTls({ host, port, ...(isName && { servername: host }), ...ssl }, onConnect)
      : connect({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#keep(`${host}:${port}`, socket);
    return socket;
  };

  /** Lets a producer, a consumer or an admin client, made with `open`, leave brokers that do not answer. */
  watch<Client extends KafkaJs.Producer | KafkaJs.Consumer | KafkaJs.Admin>(
    client: Client,
  ): Client {
    // All three have the event, each under a name of its own.
    const watched = client as KafkaJs.Producer;
    watched.on(watched.events.REQUEST_TIMEOUT, ({ payload }) => {
      for (const socket of this.#byBroker.get(payload.broker) ?? []) {
        socket.destroy(new Error("a request timed out"));
      }
    });
    return client;
  }

  #keep(broker: string, socket: Socket): void {
    const sockets = this.#byBroker.getOrInsertComputed(broker, () => new Set<Socket>());
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0 && this.#byBroker.get(broker) === sockets)
        this.#byBroker.delete(broker);
    });
  }
}

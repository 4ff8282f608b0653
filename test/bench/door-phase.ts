// Measures what an event costs the edge by the door that it comes through: CPU until it is durable in the log.
import { setTimeout as sleep } from "node:timers/promises";
import { EventSource } from "./data.ts";
import type { DatagramState } from "./datagram-program.ts";
import {
  doorForms,
  nativeForm,
  nativeSingleForm,
  type BenchEvent,
  type DoorForm,
} from "./door-forms.ts";
import { EdgeProcess } from "./edge-process.ts";
import { MeasuredProcess } from "./measured-process.ts";
import type { Options } from "./options.ts";
import { post } from "./post.ts";
import { sendTcp, sendUdp } from "./raw-send.ts";
import { quantile, type Report } from "./report.ts";
import type { Service } from "./service.ts";

/** The streams are those of the data set, the draws are not. */
const PART_OF_DOORS = 999_979;
const IN_FLIGHT = 4;
/** Many senders of single events share what it costs to make them durable. */
const SINGLES_IN_FLIGHT = 64;
/** Requests of one event cost what a request costs: fewer say as much. */
const SINGLE_SHARE = 1 / 20;
const GIVE_UP_AFTER_MS = 60_000;

/** Returns how many events were sent: all of them must be stored. The service is stopped meanwhile. */
export async function measureDoors(
  service: Service,
  options: Options,
  report: Report,
): Promise<number> {
  await service.stop();
  const { dataDir, logPath } = service.options;
  const costs = new Map<DoorForm, number[]>(doorForms.map((form) => [form, []]));
  const floors: number[] = [];
  const sentByDoor = new Map<string, number>();
  {
    await using edge = await EdgeProcess.start(dataDir, logPath);
    await using bare = new MeasuredProcess<DatagramState>(
      "test/bench/datagram-program.ts",
      "ignore",
    );
    await bare.next();
    const events = readEvents(options.doorEvents, options.seed);
    // The first round warms up. Rounds rather than door after door: a busy moment of the machine hits them all.
    for (let round = 0; round <= options.doorRounds; round++) {
      for (const form of doorForms) {
        const cost = await measureRound(edge, form, events, round, sentByDoor);
        if (round > 0) costs.get(form)?.push(cost);
        if (form.over !== "udp") continue;
        const floor = await measureBare(bare, bodiesOf(form, events, round));
        if (round > 0) floors.push(floor);
      }
    }
  }
  await service.start();
  reportCosts(costs, floors, options, report);
  return [...sentByDoor.values()].reduce((sum, sent) => sum + sent, 0);
}

/** CPU microseconds an event. */
async function measureRound(
  edge: EdgeProcess,
  form: DoorForm,
  all: readonly BenchEvent[],
  round: number,
  sentByDoor: Map<string, number>,
): Promise<number> {
  const { door } = form;
  const count = countOf(form, all);
  const bodies = bodiesOf(form, all, round);
  const before = await edge.state();
  await send(edge, form, bodies);
  const expected = (sentByDoor.get(door) ?? 0) + count;
  sentByDoor.set(door, expected);
  const after = await waitTaken(edge, door, expected);
  return (after.cpuMicros - before.cpuMicros) / count;
}

function countOf({ eventsPerRequest }: DoorForm, { length }: readonly BenchEvent[]): number {
  return eventsPerRequest === 1 ? Math.ceil(length * SINGLE_SHARE) : length;
}

function bodiesOf(form: DoorForm, all: readonly BenchEvent[], round: number): Buffer[] {
  const count = countOf(form, all);
  const bodies: Buffer[] = [];
  for (let from = 0; from < count; from += form.eventsPerRequest) {
    const number = round * all.length + from;
    bodies.push(form.body(all.slice(from, Math.min(count, from + form.eventsPerRequest)), number));
  }
  return bodies;
}

/** CPU microseconds that a bare socket of Node.js takes for a datagram of the same ones, each handed over by itself. */
async function measureBare(
  bare: MeasuredProcess<DatagramState>,
  bodies: readonly Buffer[],
): Promise<number> {
  const before = await bare.state();
  await sendUdp(before.port, bodies);
  const after = await bare.state();
  return (after.cpuMicros - before.cpuMicros) / (after.datagrams - before.datagrams);
}

async function send(edge: EdgeProcess, form: DoorForm, bodies: readonly Buffer[]): Promise<void> {
  const ports: Readonly<Record<string, number>> = {
    token: edge.tokenPort,
    syslog: edge.syslogPort,
    logstash: edge.logstashPort,
  };
  if (form.over === "udp") return sendUdp(ports[form.to] ?? 0, bodies);
  const inFlight = form.eventsPerRequest === 1 ? SINGLES_IN_FLIGHT : IN_FLIGHT;
  const work = async (_: unknown, worker: number): Promise<void> => {
    const own = bodies.filter((_body, index) => index % inFlight === worker);
    if (form.over === "tcp") return sendTcp(ports[form.to] ?? 0, own);
    for (const body of own) {
      const { status, body: answer } = await post(edge.url + form.to, form.headers ?? {}, body);
      if (status >= 300) throw new Error(`${form.name} was answered ${status}: ${answer}`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
}

/** Waits until the door's events are durable: nobody is told over a raw connection. */
async function waitTaken(edge: EdgeProcess, door: string, expected: number) {
  const begin = performance.now();
  for (;;) {
    const state = await edge.state();
    const taken = state.events[door] ?? 0;
    if (taken === expected) return state;
    if (taken > expected || performance.now() - begin > GIVE_UP_AFTER_MS) {
      throw new Error(`the door ${door} took ${taken} events, not ${expected}`);
    }
    await sleep(5);
  }
}

/** Events of the present, so that they are in no range that is searched. */
function readEvents(count: number, seed: number): BenchEvent[] {
  const source = new EventSource(seed, PART_OF_DOORS);
  const { body } = source.batch({
    events: count,
    epochSeconds: Math.floor(Date.now() / 1000) - 60,
    fromNs: 4e9,
    untilNs: 54e9,
    needles: new Set(),
  });
  const lines = body.toString("latin1").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as BenchEvent);
}

function reportCosts(
  costs: ReadonlyMap<DoorForm, readonly number[]>,
  floors: readonly number[],
  options: Options,
  report: Report,
): void {
  const costOf = (form: DoorForm): number => quantile(costs.get(form) ?? [], 0.5);
  report.table(
    `Doors: CPU of the edge until an event is durable, the median of ${options.doorRounds} rounds of ${options.doorEvents.toLocaleString("en")} events`,
    ["door", "events a request", "us an event", "to native NDJSON", "target", ""],
    doorForms.flatMap((form) => {
      const base = costOf(form.eventsPerRequest === 1 ? nativeSingleForm : nativeForm);
      const cost = costOf(form);
      const ratio = cost / base;
      const verdict = ratio <= form.target ? "ok" : "MISSED";
      const row = [form.name, form.eventsPerRequest, cost, ratio, form.target, verdict];
      if (form.over !== "udp") return [row];
      const floor = quantile(floors, 0.5);
      return [row, ["  a bare socket of Node.js", 1, floor, floor / base, "", ""]];
    }),
  );
}

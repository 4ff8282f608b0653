// The time of an event in the spellings that log lines use, cached per second because that is what costs.

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const PADDED3 = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, "0"));

/** One second of UTC, spelled out, with the fraction of the event that was stamped last. */
export class Stamp {
  readonly epochSeconds: number;
  readonly epoch: string;
  readonly date: string;
  readonly dateSlashed: string;
  readonly monthDay: string;
  readonly clock: string;
  /** As nginx writes it: `17/Jul/2026:12:34:56 +0000`. */
  readonly commonLog: string;
  /** As RFC 3164 has it: `Jul 17 12:34:56`. */
  readonly syslog: string;
  millis = "000";
  micros = "000000";
  nanos = "000000000";

  constructor(epochSeconds: number) {
    const iso = new Date(epochSeconds * 1000).toISOString();
    const [year, monthNumber, day] = [iso.slice(0, 4), iso.slice(5, 7), iso.slice(8, 10)];
    const month = MONTHS[Number(monthNumber) - 1] ?? "";
    this.epochSeconds = epochSeconds;
    this.epoch = String(epochSeconds);
    this.date = iso.slice(0, 10);
    this.dateSlashed = `${year}/${monthNumber}/${day}`;
    this.monthDay = monthNumber + day;
    this.clock = iso.slice(11, 19);
    this.commonLog = `${day}/${month}/${year}:${this.clock} +0000`;
    this.syslog = `${month} ${day.replace(/^0/, " ")} ${this.clock}`;
  }

  /** @param digits how many digits of the fraction the log's writer keeps: 3, 6 or 9; the others are 0 */
  setFraction(nanoseconds: number, digits: number): void {
    this.millis = PADDED3[Math.floor(nanoseconds / 1e6)] ?? "";
    this.micros =
      this.millis + (digits > 3 ? (PADDED3[Math.floor(nanoseconds / 1e3) % 1000] ?? "") : "000");
    this.nanos = this.micros + (digits > 6 ? (PADDED3[nanoseconds % 1000] ?? "") : "000");
  }
}

/** Events come nearly in order: a ring of the last seconds spells each of them once. */
const ring = Array.from<Stamp | undefined>({ length: 64 });

/** The stamp is valid until the next call: five million of them are not worth five million objects. */
export function stampOf(epochSeconds: number, nanoseconds: number, digits: number): Stamp {
  let stamp = ring[epochSeconds & 63];
  if (stamp?.epochSeconds !== epochSeconds) {
    stamp = new Stamp(epochSeconds);
    ring[epochSeconds & 63] = stamp;
  }
  stamp.setFraction(nanoseconds, digits);
  return stamp;
}

import type { Attack, UpstreamScript } from "../frame/attack.ts";
import { EVIL_ZONES } from "../frame/places.ts";
import {
  FLAG,
  join,
  pointer,
  QNAME,
  query,
  questionOf,
  readdressed,
  record,
  reply,
  truncated,
  TYPE,
  u16,
  wireName,
} from "../frame/wire.ts";

const RATE = 40;
const ADDRESS = Uint8Array.of(10, 66, 0, 1);
/** Data of the record with the pointers; a pointer reaches 16,383. */
const CHAIN_BYTES = 16_000;
const HEADER = 12;
const RR_FIXED = 10;

type Make = (message: Uint8Array) => Uint8Array;

/** Malformations, by the first label of the name. */
const LIES: Readonly<Record<string, Make>> = {
  /** Each pointer leads to the previous one: thousands of hops for each of thousands of names. */
  chain(message) {
    const start = questionOf(message).end + 2 + RR_FIXED;
    const hops: Uint8Array[] = [QNAME];
    for (let at = 2; at < CHAIN_BYTES; at += 2) hops.push(pointer(start + at - 2));
    const last = pointer(start + CHAIN_BYTES - 2);
    return reply(message, {
      answers: [
        record(QNAME, TYPE.UNKNOWN, 60, join(...hops)),
        ...repeat(2_000, () => record(last, TYPE.A, 60, ADDRESS)),
      ],
    });
  },
  aliases(message) {
    const { end, name } = questionOf(message);
    const start = end + 2 + RR_FIXED;
    const hops: Uint8Array[] = [QNAME];
    for (let at = 2; at < CHAIN_BYTES; at += 2) hops.push(pointer(start + at - 2));
    const last = pointer(start + CHAIN_BYTES - 2);
    const targets = repeat(33, (i) => wireName(`alias${i}.${name}`));
    const aliases = targets.map((target, i) =>
      record(i === 0 ? last : targets[i - 1]!, TYPE.CNAME, 60, target)
    );
    return reply(message, {
      answers: [
        record(QNAME, TYPE.UNKNOWN, 60, join(...hops)),
        ...repeat(1_900, () => record(last, TYPE.A, 60, ADDRESS)),
        ...aliases.reverse(),
      ],
    });
  },
  circle(message) {
    const { end } = questionOf(message);
    const second = end + 2 + RR_FIXED + 2;
    return reply(message, {
      answers: [
        record(pointer(second), TYPE.CNAME, 60, pointer(end)),
        record(pointer(end), TYPE.A, 60, ADDRESS),
      ],
    });
  },
  /** A name that points to itself, in the data of a type with names. */
  itself(message) {
    const { end } = questionOf(message);
    return reply(message, {
      answers: [record(QNAME, TYPE.CNAME, 60, pointer(end + 2 + RR_FIXED))],
    });
  },
  /** A pointer to the header, whose counts look like labels. */
  header: (message) =>
    reply(message, { answers: [record(pointer(4), TYPE.A, 60, ADDRESS)], opt: true }),
  fields(message) {
    const { end } = questionOf(message);
    return reply(message, {
      answers: [
        record(QNAME, TYPE.A, 0x01610161, ADDRESS),
        record(pointer(end + 6), TYPE.A, 60, ADDRESS),
      ],
    });
  },
  middle: (message) =>
    reply(message, { answers: [record(pointer(HEADER + 3), TYPE.A, 60, ADDRESS)] }),
  /** A name of 127 labels, and one longer than names may be. */
  long(message) {
    const { end } = questionOf(message);
    const labels = join(...repeat(120, () => join(1, 0x61)), QNAME);
    const start = end + 2 + RR_FIXED;
    return reply(message, {
      answers: [
        record(QNAME, TYPE.UNKNOWN, 60, labels),
        ...repeat(3_000, () => record(pointer(start), TYPE.A, 60, ADDRESS)),
        record(join(63, new Uint8Array(63).fill(0x62), pointer(start)), TYPE.A, 60, ADDRESS),
      ],
    });
  },
  compressed: (message) =>
    reply(message, {
      answers: [
        record(QNAME, TYPE.RRSIG, 60, new Uint8Array(18)),
        record(QNAME, TYPE.NAPTR, 60, join(0, 1, 0, 1, 1, 0x75, 0, 0, QNAME)),
        record(QNAME, 26, 60, join(0, 1, QNAME, QNAME)), // PX
        record(QNAME, 30, 60, join(QNAME, 0x40)), // NXT
        record(QNAME, 36, 60, join(0, 1, QNAME)), // KX
        record(QNAME, 33, 60, join(0, 1, 0, 1, 0, 1, QNAME)), // SRV
      ],
    }),
  /** A pointer into OPT, which is rewritten. */
  opt(message) {
    const { end } = questionOf(message);
    const opt = record(Uint8Array.of(0), TYPE.OPT, 0, join(0, 10, 0, 4, 3, 0x61, 0x62, 0));
    return reply(message, {
      answers: [record(QNAME, TYPE.RRSIG, 60, new Uint8Array(18)), opt],
      authority: [record(pointer(end + 12 + 18 + 1 + RR_FIXED + 4), TYPE.NS, 60, QNAME)],
    });
  },
  counts(message) {
    const lie = reply(message, { answers: [record(QNAME, TYPE.A, 60, ADDRESS)] });
    lie.set(u16(0xffff), 6);
    return lie;
  },
  length(message) {
    const lie = reply(message, { answers: [record(QNAME, TYPE.A, 60, ADDRESS)] });
    lie.set(u16(0xffff), lie.length - 6);
    return lie;
  },
  empty: (message) => reply(message, { answers: [record(QNAME, TYPE.TXT, 60, new Uint8Array(0))] }),
  opts: (message) =>
    reply(message, {
      answers: repeat(500, () => record(Uint8Array.of(0), TYPE.OPT, 0, new Uint8Array(0))),
      opt: true,
    }),
};

const NAMES = Object.keys(LIES);

const made = new Map<string, Uint8Array>();

const lie: UpstreamScript = (message, transport) => {
  const { labels, end } = questionOf(message);
  const kind = labels[0]!.split("-")[0]!;
  const make = LIES[kind];
  if (make === undefined) return reply(message, { rcode: 3 });
  const template = made.get(`${kind} ${end}`) ?? make(message);
  made.set(`${kind} ${end}`, template);
  return transport === "udp" && template.length > 1232
    ? truncated(message)
    : readdressed(template, message);
};

function repeat<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

/** All malformed replies to a query, for tests. */
export function allLies(message: (name: string) => Uint8Array): Uint8Array[] {
  return NAMES.map((name) => LIES[name]!(message(`${name}-0.${EVIL_ZONES.udp}`)));
}

export const malformedReplies: Attack = {
  name: "malformed-replies",
  summary: `An upstream lies in ${NAMES.length} ways, among them 48 KiB of pointers and aliases.`,
  upstream: lie,
  async attack({ udp, paced }) {
    const socket = udp();
    const asked = await paced(RATE, (n) => {
      const zone = n % 2 === 0 ? EVIL_ZONES.udp : EVIL_ZONES.tcp;
      const name = `${NAMES[(n >> 1) % NAMES.length]}-${String(n).padStart(5, "0")}.${zone}`;
      const types = [TYPE.A, TYPE.CNAME, TYPE.UNKNOWN, TYPE.TXT];
      const flags = n % 3 === 0 ? FLAG.RD | 0x10 : FLAG.RD; // CD
      const message = query(name, types[(n >> 3) % types.length], { flags, edns: 4096 });
      socket.send(message);
      // Repeated at once: answered from the cache if it was stored.
      socket.send(message);
    }, () => socket.drain());
    return { asked: asked * 2, kinds: NAMES.length };
  },
};

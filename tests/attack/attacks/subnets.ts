import { changed } from "../frame/shipped.ts";
import type { Attack } from "../frame/attack.ts";
import { EVIL_ZONES, PLACES } from "../frame/places.ts";
import { address, join, query, questionOf, reply, TYPE, u16, u32 } from "../frame/wire.ts";

const RATE = 2_000;
const CLIENT_SUBNET = 8;
const OPT_HEAD = 11;

/** A query with a client subnet: 10.x.y.0/24. */
export function subnetQuery(name: string, n: number): Uint8Array {
  const data = Uint8Array.of(0, 1, 24, 0, 10, (n >> 8) & 255, n & 255);
  return withOption(query(name, TYPE.A), data);
}

/** The upstream's answers: each subnet has its own; odd names get another subnet's. */
export function subnetReply(message: Uint8Array): Uint8Array {
  const answer = reply(message, { answers: [address(60, Uint8Array.of(10, 6, 6, 6))] });
  const data = subnetOf(message);
  if (data === null) return answer;
  data[3] = 24;
  if (questionOf(message).labels[0]!.startsWith("odd")) data[4] = 11;
  return withOption(answer, data);
}

function withOption(message: Uint8Array, data: Uint8Array): Uint8Array {
  const option = join(u16(CLIENT_SUBNET), u16(data.length), data);
  const opt = join(0, u16(TYPE.OPT), u16(1232), u32(0), u16(option.length), option);
  const whole = join(message, opt);
  whole[11] = 1;
  return whole;
}

/** Subnet data of a query whose only other record is its OPT; null without. */
function subnetOf(message: Uint8Array): Uint8Array | null {
  const word = (at: number) => (message[at]! << 8) | message[at + 1]!;
  for (let at = questionOf(message).end + OPT_HEAD; at + 4 <= message.length;) {
    const size = word(at + 2);
    if (word(at) === CLIENT_SUBNET) return message.slice(at + 4, at + 4 + size);
    at += 4 + size;
  }
  return null;
}

export const subnets: Attack = {
  name: "client-subnets",
  summary: `${RATE} queries a second of other client subnets, most for one name.`,
  setting: {
    corefile: (text) =>
      changed(text, `forward . ${PLACES.upstream}`, `forward . ${PLACES.upstream} {\necs pass\n}`),
  },
  upstream: subnetReply,
  async attack({ udp, paced }) {
    const socket = udp();
    let answered = 0;
    const asked = await paced(
      RATE,
      (n) => {
        const label = n % 4 === 0 ? `odd${n}` : "www";
        socket.send(subnetQuery(`${label}.${EVIL_ZONES.udp}`, n));
      },
      () => answered += socket.drain().count,
    );
    return { asked, answered };
  },
  judge: ({ counted }) =>
    Object.keys(counted).some((name) => name === "nodens_forward_wrong_subnets_total")
      ? []
      : ["no reply for another subnet was counted"],
};

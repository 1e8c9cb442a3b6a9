import type { Attack } from "../frame/attack.ts";
import { EVIL_ZONES } from "../frame/places.ts";
import { address, query, questionOf, reply, u32 } from "../frame/wire.ts";

const NAME = `frozen.${EVIL_ZONES.udp}`;
const TTL = 1;
/** Beyond its TTL an answer may be as old as a refresh takes, and the clock's seconds are whole. */
const MAX_AGE_SECONDS = TTL + 2;
const RATE = 200;
const MASK = 0xffffff;

/** What the name's address is at a moment: the time. */
function addressNow(): number {
  return Math.floor(Date.now() / 1000) & MASK;
}

export const frozenName: Attack = {
  name: "rd0-freeze",
  summary: `${RATE} queries a second without RD (some with CD, AD, DO) for a name about to expire.`,
  setting: {
    corefile: (text) =>
      text.replace(
        /\n( *)cache 30\n(?=(?:(?!\n\}).|\n(?!\}))*$)/,
        "\n$1cache 30 {\n$1    prefetch 1 10s 50%\n$1    serve_stale 1h\n$1}\n",
      ),
  },
  upstream: (message) =>
    questionOf(message).name === NAME
      ? reply(message, { answers: [address(TTL, u32(0x0a000000 | addressNow()))] })
      : reply(message, { rcode: 3 }),
  async attack({ udp, paced }) {
    const hostile = udp();
    const honest = udp({ address: "10.244.0.3" });
    let oldest = 0;
    let answers = 0;
    honest.send(query(NAME));
    const asked = await paced(
      RATE,
      (n) => {
        const flags = [0, 0x0010, 0x0020, 0x0030][n % 4]!;
        hostile.send(query(NAME, 1, { flags, ...(n % 5 === 0 ? { edns: 512 } : {}) }));
        if (n % 20 === 0) honest.send(query(NAME));
      },
      () => {
        hostile.drain();
        for (let got = honest.receive(); got !== null; got = honest.receive()) {
          if (got.length < 16 || (got[3]! & 15) !== 0) continue;
          const value = (got.at(-3)! << 16) | (got.at(-2)! << 8) | got.at(-1)!;
          oldest = Math.max(oldest, (addressNow() - value) & MASK);
          answers++;
        }
      },
    );
    return { asked, answers, "oldest answer in s": oldest };
  },
  judge: ({ facts }) => [
    ...(Number(facts.answers) > 0 ? [] : ["the name was not answered"]),
    ...(Number(facts["oldest answer in s"]) > MAX_AGE_SECONDS
      ? [`an answer with a TTL of ${TTL} s was ${facts["oldest answer in s"]} s old`]
      : []),
  ],
};

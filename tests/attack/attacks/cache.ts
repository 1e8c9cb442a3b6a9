import { changed } from "../frame/shipped.ts";
import type { Attack, Hands } from "../frame/attack.ts";
import { EVIL_ZONES, GOOD_ZONES } from "../frame/places.ts";
import { address, query, questionOf, reply, u32 } from "../frame/wire.ts";

/** Fewer cache entries than shipped, so that seconds suffice to fill the cache. */
const CAPACITY = 1_024;
const FLUSH = 5_000;
/** Less than half of a fair share of three clients. */
const NEIGHBOUR_NAMES = 120;
/** Per round, the store skips 32 protected entries in a row and then evicts one. */
const MAX_EVICTED = NEIGHBOUR_NAMES / 10;
const NEIGHBOUR = "10.244.0.3";
/** The neighbour's time before and after the attack. */
const NEIGHBOUR_MS = 400;

/** Queries all of the neighbour's names, and so caches them. */
async function askAll({ udp, pause }: Hands): Promise<number> {
  const socket = udp({ address: NEIGHBOUR });
  let answered = 0;
  for (let i = 0; i < NEIGHBOUR_NAMES; i++) {
    socket.send(query(`hn${i}.${GOOD_ZONES[0]}`));
    if (i % 30 === 29) {
      await pause(20);
      answered += socket.drain().count;
    }
  }
  await pause(100);
  answered += socket.drain().count;
  socket.close();
  return answered;
}

/** The shipped Corefile with other options for the caches of 30 seconds. */
function withCache(corefile: string, options: readonly string[]): string {
  const shipped = /^( *)cache 30(?: \{\n(?:.*\n)*?\1\})?$/gm;
  const lines = options.map((option) => `$1    ${option}\n`).join("");
  return changed(corefile, shipped, `$1cache 30 {\n${lines}$1}`);
}

export const cacheFlush: Attack = {
  name: "cache-flush",
  summary: `${FLUSH} names a second that exist, from one client, through caches of ${CAPACITY}.`,
  setting: {
    corefile: (text) => withCache(text, [`success ${CAPACITY} 30`, `denial ${CAPACITY} 5`]),
  },
  upstream: (message) => reply(message, { answers: [address(600, u32(0x0a420002))] }),
  async attack(hands) {
    const { udp, pause, left } = hands;
    const before = await askAll(hands);
    const socket = udp();
    let asked = 0;
    let answered = 0;
    const began = performance.now();
    while (left() > NEIGHBOUR_MS) {
      const due = (performance.now() - began) / 1000 * FLUSH;
      for (; asked < due; asked++) {
        socket.send(query(`f${asked}-${Deno.pid}.${EVIL_ZONES.udp}`));
      }
      answered += socket.drain().count;
      await pause(4);
    }
    const after = await askAll(hands);
    return { asked, answered, "neighbour answered before": before, "and after": after };
  },
  judge: ({ hitsAskedAgain }) =>
    hitsAskedAgain > MAX_EVICTED ? [`${hitsAskedAgain} names of other clients were evicted`] : [],
};

const FROZEN = `frozen.${EVIL_ZONES.udp}`;
const FROZEN_TTL = 1;
/** Delay of its server: time for a hostile query to trigger the refresh first. */
const FROZEN_DELAY_MS = 200;
/** An answer may outlive its TTL by the time of a refresh, and the clock has whole seconds. */
const MAX_AGE_SECONDS = FROZEN_TTL + 2;
const FREEZE_RATE = 200;
const MASK = 0xffffff;

/** An address that encodes the time. */
function addressNow(): number {
  return Math.floor(Date.now() / 1000) & MASK;
}

export const frozenName: Attack = {
  name: "rd0-freeze",
  summary:
    `${FREEZE_RATE} queries a second without RD (some with CD, AD, DO) for a name that expires.`,
  minSeconds: 6,
  setting: {
    corefile: (text) => withCache(text, ["prefetch 1 10s 50%", "serve_stale 1h"]),
  },
  upstream: (message) =>
    questionOf(message).name === FROZEN
      ? {
        delayMs: FROZEN_DELAY_MS,
        message: reply(message, {
          answers: [address(FROZEN_TTL, u32(0x0a000000 | addressNow()))],
        }),
      }
      : reply(message, { rcode: 3 }),
  async attack({ udp, paced }) {
    const hostile = udp();
    const honest = udp({ address: NEIGHBOUR });
    let oldest = 0;
    let answers = 0;
    honest.send(query(FROZEN));
    const asked = await paced(
      FREEZE_RATE,
      (n) => {
        const flags = [0, 0x0010, 0x0020, 0x0030][n % 4]!;
        hostile.send(query(FROZEN, 1, { flags, ...(n % 5 === 0 ? { edns: 512 } : {}) }));
        if (n % 50 === 0) honest.send(query(FROZEN));
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
      ? [`an answer with a TTL of ${FROZEN_TTL} s was ${facts["oldest answer in s"]} s old`]
      : []),
  ],
};

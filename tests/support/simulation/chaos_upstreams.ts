import { Buffer } from "node:buffer";
import type * as codec from "dns-packet";
import { a, responseBytes, soa } from "../messages/messages.ts";
import type { SubnetOracle } from "./chaos_subnets.ts";
import type { Behaviour } from "./simulation.ts";

export type UpstreamReply = { bytes: Uint8Array; delayMs?: number; close?: boolean };

/** An address that no honest upstream sends. */
export const LIE = "203.0.113.66";

/**
 * The truth at any time: a name's address encodes the name and the second of the upstream's reply,
 * and so its age.
 */
export class Oracle {
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  address(name: string): string {
    const hash = hashOf(name) & 0xff;
    const second = Math.floor(this.#now() / 1000) % 0x10000;
    return `10.${hash}.${second >> 8}.${second & 255}`;
  }

  /**
   * When an address queried at `atMs` was valid, in milliseconds; null if it never was.
   * Unambiguous within 18 hours; an answer may be some seconds younger than `atMs`.
   */
  bornMs(name: string, address: string, atMs: number): number | null {
    const parts = address.split(".").map(Number);
    if (parts[0] !== 10 || parts[1] !== (hashOf(name) & 0xff)) return null;
    const latest = Math.floor(atMs / 1000) + 3600;
    const before = (latest - ((parts[2]! << 8) | parts[3]!)) % 0x10000;
    return (latest - before) * 1000;
  }

  ttlSeconds(name: string): number {
    return [0, 1, 5, 20, 60][hashOf(name) % 5]!;
  }
}

function hashOf(name: string): number {
  let sum = 0;
  for (const letter of name.toLowerCase()) sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  return sum;
}

const MOODS = ["well", "well", "mixed", "mixed", "silent", "refusing", "slow", "servfail"] as const;

export class Mood {
  now: (typeof MOODS)[number] = "well";
  readonly cookies: boolean;
  readonly #dice: () => number;

  constructor(dice: () => number) {
    this.#dice = dice;
    this.cookies = dice() % 2 === 0;
    this.change();
  }

  change(): void {
    this.now = MOODS[this.#dice() % MOODS.length]!;
  }
}

/**
 * An upstream with a mood; a mixed one varies. With `subnets`, answers depend on the client's
 * subnet.
 */
export function unreliable(
  mood: Mood,
  oracle: Oracle,
  dice: () => number,
  subnets: SubnetOracle | null = null,
): Behaviour {
  return (query, transport) => {
    const { name } = query.questions![0]!;
    const options = cookieOf(query, mood);
    const ttl = oracle.ttlSeconds(name);
    const scoped = subnets?.answer(query);
    const right = responseBytes(query, {
      answers: [
        a(name, oracle.address(name), ttl),
        ...scoped === undefined ? [] : [a(name, scoped.address, ttl)],
      ],
      options: [...options, ...scoped?.options ?? []],
    });
    const delayMs = 1 + dice() % 40;
    const failure = responseBytes(query, { rcode: 2, options });
    switch (mood.now) {
      case "well":
        return [{ bytes: right, delayMs }];
      case "silent":
        return [];
      case "refusing":
        return "refuse";
      case "slow":
        return [{ bytes: right, delayMs: 400 + dice() % 2500 }];
      case "servfail":
        return [{ bytes: failure, delayMs }];
    }
    const wrong = subnets?.wrong(query) ?? null;
    if (wrong !== null) {
      const lie = { answers: [a(name, LIE)], options: [...options, wrong] };
      return [{ bytes: responseBytes(query, lie), delayMs }];
    }
    switch (dice() % 12) {
      case 1:
        return [];
      case 2:
        return "refuse";
      case 3:
        return transport === "udp"
          ? [{ bytes: responseBytes(query, { truncated: true, options }), delayMs }]
          : [{ bytes: right, delayMs, close: true }];
      case 4:
        return [{ bytes: failure, delayMs }];
      case 5: {
        const authorities = [soa("example.org", 5)];
        return [{ bytes: responseBytes(query, { rcode: 3, authorities, options }), delayMs }];
      }
      case 6: {
        // Forged: every id but the right one, another name's question, another client's cookie.
        const lies = { answers: [a(name, LIE)] };
        const question = { name: "other.test", type: "A", class: "IN" } as const;
        const forged = [
          responseBytes({ ...query, id: query.id! ^ 1 }, lies),
          responseBytes(query, { question, ...lies }),
          ...transport === "udp" && hasCookie(query)
            ? [responseBytes(query, { ...lies, options: [{ code: 10, data: Buffer.alloc(16) }] })]
            : [],
        ];
        return [
          ...forged.map((bytes) => ({ bytes, delayMs: 1 })),
          { bytes: right, delayMs: delayMs + 1 },
        ];
      }
      case 7:
        return [{ bytes: right, delayMs }, { bytes: right, delayMs: delayMs + 3 }];
      case 8:
        return [{ bytes: right.slice(0, 12 + dice() % (right.length - 12)), delayMs }];
      case 9:
        return [{ bytes: right, delayMs: 1500 + dice() % 2000 }];
      case 10:
        return hasCookie(query)
          ? [{ bytes: responseBytes(query, { rcode: 1, options }), delayMs }]
          : [{ bytes: responseBytes(query, { rcode: 1, edns: false }), delayMs }];
      default:
        return [{ bytes: right, delayMs }];
    }
  };
}

function optOf(query: codec.DecodedPacket): { code: number; data: Uint8Array }[] {
  const opt = query.additionals!.find(({ type }) => type === "OPT") as unknown as {
    options: { code: number; data: Uint8Array }[];
  } | undefined;
  return opt?.options ?? [];
}

function hasCookie(query: codec.DecodedPacket): boolean {
  return optOf(query).some(({ code }) => code === 10);
}

/** The COOKIE option, if the upstream supports cookies. */
function cookieOf(query: codec.DecodedPacket, mood: Mood): { code: number; data: Uint8Array }[] {
  const cookie = optOf(query).find(({ code }) => code === 10);
  if (cookie === undefined || !mood.cookies) return [];
  const client = Buffer.from(cookie.data).subarray(0, 8);
  return [{ code: 10, data: Buffer.concat([client, Buffer.alloc(8, 7)]) }];
}

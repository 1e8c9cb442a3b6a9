import assert from "node:assert/strict";
import type * as codec from "dns-packet";
import { CLIENT_SUBNET, subnet, subnetIn } from "./subnets.ts";

/** Networks of clients: wide and narrow, nested and adjacent. */
const NETWORKS = [
  ...["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.3.0/24", "10.1.2.128/25"],
  ...["10.1.2.129/32", "10.9.0.0/16", "10.9.9.0/24", "192.0.2.0/24", "32.1.13.0/24"],
  ...["2001:db8::/32", "2001:db8:1::/48"],
];
export const QUESTIONS_PER_NAME = NETWORKS.length + 1;
/** Null for a reply without the option. */
const SCOPES = [null, 0, 8, 16, 16, 24, 24, 28, 32, 48];
/** An option that was not requested. */
const UNASKED = subnet("10.1.2.0/24", 16);

interface Word {
  asked: Uint8Array | null;
  scope: number | null;
  source?: string;
}

/**
 * Client subnets in a simulation. Each answer has a unique address that identifies the subnet of
 * its query. Uses its own dice.
 */
export class SubnetOracle {
  readonly #words: Word[] = [];
  readonly #dice: () => number;
  readonly #passes: boolean;

  /** `passes` if subnets are passed on (`ecs pass`). */
  constructor(dice: () => number, passes: boolean) {
    this.#dice = dice;
    this.#passes = passes;
  }

  draw(): { code: number; data: Uint8Array }[] {
    if (this.#dice() % 4 === 0) return [];
    return [{ code: CLIENT_SUBNET, data: subnet(this.#one(NETWORKS)) }];
  }

  /** The unique address of an upstream's answer, and its options. */
  answer(query: codec.DecodedPacket): {
    address: string;
    options: { code: number; data: Uint8Array }[];
  } {
    const data = subnetIn(query);
    assert.ok(this.#passes || data === null, "a subnet is passed on");
    const asked = data === null ? null : Uint8Array.from(data);
    const scope = asked === null ? null : this.#one(SCOPES);
    const number = this.#words.push({ asked, scope }) - 1;
    const address = `172.${number >> 16}.${(number >> 8) & 255}.${number & 255}`;
    if (asked === null) {
      const unasked = this.#passes && this.#dice() % 4 === 0;
      return { address, options: unasked ? [{ code: CLIENT_SUBNET, data: UNASKED }] : [] };
    }
    if (scope === null) return { address, options: [] };
    const echoed = Uint8Array.from(asked);
    echoed[3] = scope;
    return { address, options: [{ code: CLIENT_SUBNET, data: echoed }] };
  }

  /** Sometimes another subnet's option, whose reply must be dropped; else null. */
  wrong(query: codec.DecodedPacket): { code: number; data: Uint8Array } | null {
    const data = subnetIn(query);
    if (data === null || data[2] === 0 || this.#dice() % 8 !== 0) return null;
    const other = Uint8Array.from(data);
    other[4]! ^= 0x80;
    return { code: CLIENT_SUBNET, data: other };
  }

  knows(address: string): boolean {
    return address.startsWith("172.");
  }

  /** Throws if an answer is not for its client, or has a wrong scope. */
  check(
    address: string,
    query: codec.DecodedPacket,
    answer: codec.DecodedPacket,
    fault: (what: string) => string,
  ): void {
    const [, high, middle, low] = address.split(".").map(Number);
    const word = this.#words[(high! << 16) | (middle! << 8) | low!]!;
    const given = subnetIn(query);
    const source = given === null ? null : Uint8Array.from(given);
    const told = subnetIn(answer)?.[3] ?? null;
    if (!this.#passes) {
      assert.equal(told, null, fault("told of a scope"));
      return;
    }
    const say = (what: string) =>
      fault(`${what}: from ${source}, ${word.asked} scope ${word.scope}`);
    if (word.asked === null) {
      assert.equal(told, null, say("told of a scope"));
      word.source ??= `${source}`;
      assert.equal(`${source}`, word.source, say("an answer had without a subnet is shared"));
      return;
    }
    const longest = word.asked[1] === 2 ? 128 : 32;
    const scope = Math.min(word.scope ?? 0, longest);
    assert.equal(told, source === null ? null : scope, say("told another scope"));
    assert.ok(isFor(word.asked, scope, source), say("an answer for others"));
  }

  #one<T>(values: readonly T[]): T {
    return values[this.#dice() % values.length]!;
  }
}

/** Whether an answer to a query with a subnet is for a client (RFC 7871 section 7.3.1). */
function isFor(asked: Uint8Array, scope: number, source: Uint8Array | null): boolean {
  const exact = source !== null && `${source}` === `${asked}`;
  if (asked[2] === 0 || scope > asked[2]!) return exact;
  if (scope === 0) return true;
  return source !== null && source[1] === asked[1] && source[2]! >= scope &&
    bitsOf(source).startsWith(bitsOf(asked).slice(0, scope));
}

function bitsOf(data: Uint8Array): string {
  return Array.from(data.subarray(4), (octet) => octet.toString(2).padStart(8, "0")).join("");
}

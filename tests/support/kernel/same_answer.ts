import { TYPE } from "../../../src/dns/constants.ts";

/** In the third octet of a message. */
export const AA = 0x04;
/** In the fourth. */
const AD = 0x20;

/** Where the records of a message are. */
interface Places {
  questionEnd: number;
  /** Offsets of TTLs, without the OPT record's. */
  ttls: number[];
  /** Offsets of the data of A records. */
  addresses: number[];
}

/** Finds the records of a message; null if it is malformed. */
export function placesOf(message: Uint8Array): Places | null {
  if (message.length < 12) return null;
  const word = (at: number) => message[at]! << 8 | message[at + 1]!;
  let at = 12;
  for (let n = word(4); n > 0; n--) at = nameEnd(message, at) + 4;
  const places: Places = { questionEnd: at, ttls: [], addresses: [] };
  for (let n = word(6) + word(8) + word(10); n > 0; n--) {
    at = nameEnd(message, at);
    if (at + 10 > message.length) return null;
    const type = word(at);
    if (type !== TYPE.OPT) places.ttls.push(at + 4);
    if (type === TYPE.A) places.addresses.push(at + 10);
    at += 10 + word(at + 8);
  }
  return at === message.length ? places : null;
}

function nameEnd(message: Uint8Array, at: number): number {
  for (; at < message.length; at += 1 + message[at]!) {
    if (message[at] === 0) return at + 1;
    if (message[at]! >= 0xc0) return at + 2;
  }
  return Infinity;
}

/** What may differ. */
export interface Allowance {
  /** Seconds between the TTLs of one record; any if undefined. */
  ttlSeconds?: number;
  /** Addresses may differ, but all octets of all within an answer are equal. */
  whole?: boolean;
  /** Only question and header must be equal, without AA, AD and the count of additional records. */
  headOnly?: boolean;
  /** AA, which hits have, and answers that have just come do not. */
  authority?: boolean;
}

/** How two answers differ; "" if not at all but for what is allowed. */
export function difference(one: Uint8Array, other: Uint8Array, allowed: Allowance): string {
  const [places, others] = [placesOf(one), placesOf(other)];
  // Answers to what nobody can read are short headers.
  const comparable = places !== null && others?.ttls.length === places.ttls.length;
  if (!comparable) return firstDifference(one, other);
  if (allowed.headOnly) {
    const head = (message: Uint8Array, { questionEnd }: Places) => {
      const copy = message.slice(0, questionEnd);
      copy[2]! &= ~AA;
      copy[3]! &= ~AD;
      copy[10] = copy[11] = 0;
      return copy;
    };
    return firstDifference(head(one, places), head(other, others));
  }
  const [a, b] = [one.slice(), other.slice()];
  if (allowed.authority) a[2] = a[2]! & ~AA | b[2]! & AA;
  for (const [i, at] of places.ttls.entries()) {
    const [ttl, otherTtl] = [readTtl(a, at), readTtl(b, others.ttls[i]!)];
    if (allowed.ttlSeconds !== undefined && Math.abs(ttl - otherTtl) > allowed.ttlSeconds) {
      return `the TTLs are ${ttl} and ${otherTtl}`;
    }
  }
  for (const [message, { ttls, addresses }] of [[a, places], [b, others]] as const) {
    for (const at of ttls) message.fill(0, at, at + 4);
    if (!allowed.whole) continue;
    const expected = message[addresses[0] ?? 0];
    for (const at of addresses) {
      if (message.subarray(at, at + 4).some((octet) => octet !== expected)) {
        return "an answer is made of two";
      }
      message.fill(0, at, at + 4);
    }
  }
  return firstDifference(a, b);
}

function readTtl(message: Uint8Array, at: number): number {
  return new DataView(message.buffer, message.byteOffset).getUint32(at);
}

function firstDifference(one: Uint8Array, other: Uint8Array): string {
  const length = Math.max(one.length, other.length);
  for (let i = 0; i < length; i++) {
    if (one[i] !== other[i]) {
      return `octet ${i} of ${one.length} and ${other.length} is ${one[i]} and ${other[i]}`;
    }
  }
  return "";
}

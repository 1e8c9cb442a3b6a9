import type { Address } from "../../dns/address.ts";
import { type HashKey, hashOctets } from "../question/keyed_hash.ts";

/** Rate of large UDP responses to one network. */
export interface ResponseRate {
  /** Large responses a second; also the burst after a second of silence. */
  readonly perSecond: number;
  /** Bits that identify a network. */
  readonly ipv4PrefixLength: number;
  readonly ipv6PrefixLength: number;
}

/**
 * 200 responses of 1,232 octets are 2 Mbit/s: little for a victim, more than stub resolvers need. A
 * node's pods share 24 bits, hence full IPv4 addresses; an IPv6 /64 is one client (RFC 4291 section
 * 2.5.4).
 */
export const DEFAULT_RATE: ResponseRate = {
  perSecond: 200,
  ipv4PrefixLength: 32,
  ipv6PrefixLength: 64,
};

/** A power of two, per row. 100,000 responses a second exhaust 500. */
const METERS = 8192;

/**
 * Limits large UDP responses per network, in fixed memory. A network is limited if its meters in
 * both rows are over. A meter is the time at which evenly spaced responses would finish, in
 * monotonic milliseconds (GCRA, ITU-T I.371).
 */
export class ResponseLimiter {
  readonly #key: HashKey;
  readonly #network = new Uint8Array(17);
  readonly #meters = new Float64Array(2 * METERS);

  constructor(key: HashKey) {
    this.#key = key;
  }

  /** Counts a response; false if it exceeds the rate. */
  allows(address: Address, rate: ResponseRate, nowMs: number): boolean {
    const meters = this.#meters;
    const hash = this.#hash(address, rate);
    const first = hash & (METERS - 1);
    const second = METERS + ((hash >>> 16) & (METERS - 1));
    const stepMs = 1000 / rate.perSecond;
    const untilMs = Math.max(nowMs, Math.min(meters[first]!, meters[second]!)) + stepMs;
    // Absorbs rounding errors.
    if (untilMs - nowMs > 1000 + stepMs / 1000) return false;
    if (meters[first]! < untilMs) meters[first] = untilMs;
    if (meters[second]! < untilMs) meters[second] = untilMs;
    return true;
  }

  #hash({ family, bytes }: Address, rate: ResponseRate): number {
    const network = this.#network;
    let bits = family === 4 ? rate.ipv4PrefixLength : rate.ipv6PrefixLength;
    let length = 0;
    network[length++] = family;
    for (let at = 0; bits > 0; at++, bits -= 8) {
      network[length++] = bits >= 8 ? bytes[at]! : bytes[at]! & (0xff00 >> bits);
    }
    return hashOctets(this.#key, network, 0, length);
  }
}

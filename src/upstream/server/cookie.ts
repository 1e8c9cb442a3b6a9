import { EDNS_OPTION } from "../../dns/constants.ts";
import type { Memory } from "../../engine/memory.ts";
import { findOption } from "../message/inquiry.ts";

/** Octets (RFC 7873 section 4). */
const CLIENT_SIZE = 8;
const SERVER_SIZE = { min: 8, max: 32 } as const;

/** Verdicts on a reply's cookie. */
export const COOKIE = {
  /** Ours, or none from a server that never sent one. */
  FINE: 0,
  FORGED: 1,
  /** None, though this server sent one before. */
  MISSING: 2,
} as const;

/** DNS cookies (RFC 7873): 64 more bits to guess. */
export class Cookie {
  readonly #client = new Uint8Array(CLIENT_SIZE);
  readonly #server = new Uint8Array(SERVER_SIZE.max);
  #serverSize = 0;
  #echoed = false;
  readonly #enabled: boolean;

  constructor(options: { enabled: boolean; random: () => number }) {
    this.#enabled = options.enabled;
    const view = new DataView(this.#client.buffer);
    view.setUint32(0, options.random());
    view.setUint32(4, options.random());
  }

  get size(): number {
    return this.#enabled ? CLIENT_SIZE + this.#serverSize : 0;
  }

  /** Server's behaviour. */
  get learnt(): "yes" | "echoed" | "no" | "off" {
    if (!this.#enabled) return "off";
    return this.#serverSize > 0 ? "yes" : this.#echoed ? "echoed" : "no";
  }

  write(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < CLIENT_SIZE; i++) bytes[at + i] = this.#client[i]!;
    for (let i = 0; i < this.#serverSize; i++) bytes[at + CLIENT_SIZE + i] = this.#server[i]!;
  }

  /** Accepts missing ones until the next. */
  forget(): void {
    this.#echoed = false;
    this.#serverSize = 0;
  }

  /** Learns the server's part. */
  check(memory: Memory, optAt: number): number {
    const { bytes, view } = memory;
    const at = findOption(memory, optAt, EDNS_OPTION.COOKIE);
    if (at < 0) return this.#echoed ? COOKIE.MISSING : COOKIE.FINE;
    const size = view.getUint16(at - 2);
    if (size < CLIENT_SIZE) return COOKIE.FORGED;
    for (let i = 0; i < CLIENT_SIZE; i++) {
      if (bytes[at + i] !== this.#client[i]) return COOKIE.FORGED;
    }
    const serverSize = size - CLIENT_SIZE;
    // CoreDNS returns only the client's part.
    if (serverSize > 0) {
      if (serverSize < SERVER_SIZE.min || serverSize > SERVER_SIZE.max) return COOKIE.FORGED;
      this.#serverSize = serverSize;
      for (let i = 0; i < serverSize; i++) this.#server[i] = bytes[at + CLIENT_SIZE + i]!;
    }
    this.#echoed = true;
    return COOKIE.FINE;
  }
}

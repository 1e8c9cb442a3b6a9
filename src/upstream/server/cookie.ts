import { EDNS_OPTION } from "../../dns/constants.ts";
import type { Memory } from "../../engine/memory.ts";
import { findOption } from "../message/edns_option.ts";

/** Sizes in octets (RFC 7873 section 4). */
const CLIENT_SIZE = 8;
const SERVER_SIZE = { min: 8, max: 32 } as const;

/** What the cookie of a reply says. */
export const COOKIE = {
  /** Ours, or none from a server that never sent one. */
  FINE: 0,
  /** Not ours: somebody else made this reply. */
  FORGED: 1,
  /** None, though this server has sent one before. */
  MISSING: 2,
} as const;

/**
 * DNS cookies with one upstream (RFC 7873): 64 bits more that a forger would have to guess, for
 * servers that send them back. A server that does not is known by its replies and loses nothing.
 */
export class Cookie {
  readonly #client = new Uint8Array(CLIENT_SIZE);
  readonly #server = new Uint8Array(SERVER_SIZE.max);
  #serverSize = 0;
  /** The upstream has sent our cookie back. */
  #echoed = false;
  readonly #enabled: boolean;

  constructor(options: { enabled: boolean; random: () => number }) {
    this.#enabled = options.enabled;
    const view = new DataView(this.#client.buffer);
    view.setUint32(0, options.random());
    view.setUint32(4, options.random());
  }

  /** Length of the option's data in octets; 0 where none is to be sent. */
  get size(): number {
    return this.#enabled ? CLIENT_SIZE + this.#serverSize : 0;
  }

  /** Writes the option's data. */
  write(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < CLIENT_SIZE; i++) bytes[at + i] = this.#client[i]!;
    for (let i = 0; i < this.#serverSize; i++) bytes[at + CLIENT_SIZE + i] = this.#server[i]!;
  }

  /** The upstream has stopped sending cookies: none is expected until it does again. */
  forget(): void {
    this.#echoed = false;
    this.#serverSize = 0;
  }

  /**
   * Looks at the OPT record of a reply to a query that carried the cookie, and learns the server's.
   *
   * @param optAt - offset of the OPT record, or -1 without one
   * @returns one of `COOKIE`
   */
  check(memory: Memory, optAt: number): number {
    const at = optAt < 0 ? -1 : findOption(memory, optAt, EDNS_OPTION.COOKIE);
    if (at < 0) return this.#echoed ? COOKIE.MISSING : COOKIE.FINE;
    const size = memory.view.getUint16(at - 2);
    if (size < CLIENT_SIZE) return COOKIE.FORGED;
    for (let i = 0; i < CLIENT_SIZE; i++) {
      if (memory.bytes[at + i] !== this.#client[i]) return COOKIE.FORGED;
    }
    const serverSize = size - CLIENT_SIZE;
    // CoreDNS sends the client's part back alone: proof enough, and nothing to learn.
    if (serverSize === 0) {
      this.#echoed = true;
      return COOKIE.FINE;
    }
    if (serverSize < SERVER_SIZE.min || serverSize > SERVER_SIZE.max) return COOKIE.FORGED;
    this.#echoed = true;
    this.#serverSize = serverSize;
    for (let i = 0; i < serverSize; i++) {
      this.#server[i] = memory.bytes[at + CLIENT_SIZE + i]!;
    }
    return COOKIE.FINE;
  }
}

import { NONCE_WORDS } from "./probe_name.ts";

/** Probes that can be out at a time: 64 data planes with a dozen server blocks each. */
const PLACES = 1024;
const WORDS = 8;
const KEY = NONCE_WORDS;
const SEEN = NONCE_WORDS + 1;
/** How often a name is drawn again because its place is taken. */
const MAX_DRAWS = 8;

/** Size of a board in bytes. */
export const BOARD_BYTES: number = PLACES * WORDS * Int32Array.BYTES_PER_ELEMENT;

/**
 * The probes that are out, in memory that all data planes share: which of them a query comes to is
 * the kernel's choice, so a probe may come back to another one than sent it.
 *
 * ```
 *  place = nonce[0] mod 1024:  | nonce, 4 words | key of the server block, 0: free | seen | - | - |
 * ```
 *
 * What a data plane leaves behind that died is overwritten some day; nothing is ever waited for.
 */
export class ProbeBoard {
  readonly #words: Int32Array;

  /** @param buffer - `BOARD_BYTES` of shared memory; without it, a board for one data plane */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(BOARD_BYTES)) {
    this.#words = new Int32Array(buffer);
  }

  /** Draws a nonce for a probe of a server block, and puts it up. */
  post(key: number, random: () => number): Uint32Array {
    const words = this.#words;
    const nonce = new Uint32Array(NONCE_WORDS);
    for (let draw = 1;; draw++) {
      for (let i = 0; i < NONCE_WORDS; i++) nonce[i] = random();
      const at = placeOf(nonce);
      if (Atomics.compareExchange(words, at + KEY, 0, key) !== 0 && draw < MAX_DRAWS) continue;
      for (let i = 0; i < NONCE_WORDS; i++) Atomics.store(words, at + i, nonce[i]! | 0);
      Atomics.store(words, at + SEEN, 0);
      Atomics.store(words, at + KEY, key);
      return nonce;
    }
  }

  /** Whether a probe of that server block with this nonce is out. */
  isOut(nonce: Uint32Array, key: number): boolean {
    const at = placeOf(nonce);
    return Atomics.load(this.#words, at + KEY) === key && this.#holds(at, nonce);
  }

  /** Notes that the probe has come back. */
  markSeen(nonce: Uint32Array): void {
    const at = placeOf(nonce);
    if (this.#holds(at, nonce)) Atomics.store(this.#words, at + SEEN, 1);
  }

  /** Whether the probe has come back, to whichever data plane. */
  wasSeen(nonce: Uint32Array): boolean {
    const at = placeOf(nonce);
    return this.#holds(at, nonce) && Atomics.load(this.#words, at + SEEN) !== 0;
  }

  /** Forgets a probe. */
  takeDown(nonce: Uint32Array): void {
    const at = placeOf(nonce);
    if (this.#holds(at, nonce)) Atomics.store(this.#words, at + KEY, 0);
  }

  #holds(at: number, nonce: Uint32Array): boolean {
    for (let i = 0; i < NONCE_WORDS; i++) {
      if (Atomics.load(this.#words, at + i) !== (nonce[i]! | 0)) return false;
    }
    return true;
  }
}

function placeOf(nonce: Uint32Array): number {
  return (nonce[0]! % PLACES) * WORDS;
}

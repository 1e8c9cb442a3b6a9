import type { Memory } from "../../engine/memory.ts";
import { MARK_WORDS, NONCE_WORDS } from "./options.ts";
import type { ProbeTokens } from "./probe_name.ts";

/** Probes in flight: 64 data planes, a dozen blocks, several upstreams. */
const SLOTS = 4096;
const WORDS = 8;
const KEY = NONCE_WORDS;
const RETURN = NONCE_WORDS + 1;
const MARK = NONCE_WORDS + 2;
/** Draws before a used slot is overwritten. */
const MAX_DRAWS = 8;

/** In bytes. */
export const BOARD_BYTES: number = SLOTS * WORDS * Int32Array.BYTES_PER_ELEMENT;

/** How a probe has returned. */
export const RETURNED = {
  NOT: 0,
  NAME: 1,
  /** From the upstream, or one that passes options on. */
  MARK: 2,
} as const;

/**
 * Probes in flight of all data planes; the kernel chooses which one receives a returned probe.
 * Slots of a dead data plane are overwritten later.
 *
 * ```
 *  slot nonce[0] mod 4096:
 *  | nonce, 4 words | key of the server block, 0: free | one of RETURNED | mark, 2 words |
 * ```
 */
export class ProbeBoard {
  readonly #key: number;
  readonly #words: Int32Array;

  /** `key`: the server block, not 0. */
  constructor(key: number, buffer: SharedArrayBuffer) {
    this.#key = key;
    this.#words = new Int32Array(buffer);
  }

  post(random: () => number): ProbeTokens {
    const words = this.#words;
    const nonce = new Uint32Array(NONCE_WORDS);
    const mark = Uint32Array.from({ length: MARK_WORDS }, random);
    for (let draw = 1;; draw++) {
      for (let i = 0; i < NONCE_WORDS; i++) nonce[i] = random();
      const at = slotOf(nonce);
      if (Atomics.compareExchange(words, at + KEY, 0, this.#key) !== 0 && draw < MAX_DRAWS) {
        continue;
      }
      for (let i = 0; i < NONCE_WORDS; i++) Atomics.store(words, at + i, nonce[i]! | 0);
      for (let i = 0; i < MARK_WORDS; i++) Atomics.store(words, at + MARK + i, mark[i]! | 0);
      Atomics.store(words, at + RETURN, RETURNED.NOT);
      Atomics.store(words, at + KEY, this.#key);
      return { nonce, mark };
    }
  }

  isOut(nonce: Uint32Array): boolean {
    const at = this.#find(nonce);
    return at >= 0 && Atomics.load(this.#words, at + KEY) === this.#key;
  }

  /** With a mark unless `markAt` is 0; returns the previous state. */
  note(nonce: Uint32Array, { view }: Memory, markAt: number): number {
    const at = this.#find(nonce);
    if (at < 0) return RETURNED.NOT;
    let marked = markAt > 0;
    for (let i = 0; i < MARK_WORDS && marked; i++) {
      marked = view.getInt32(markAt + 4 * i) === Atomics.load(this.#words, at + MARK + i);
    }
    const before = Atomics.load(this.#words, at + RETURN);
    const now = marked ? RETURNED.MARK : RETURNED.NAME;
    if (now > before) Atomics.store(this.#words, at + RETURN, now);
    return before;
  }

  returned(nonce: Uint32Array): number {
    const at = this.#find(nonce);
    return at < 0 ? RETURNED.NOT : Atomics.load(this.#words, at + RETURN);
  }

  takeDown(nonce: Uint32Array): void {
    const at = this.#find(nonce);
    if (at >= 0) Atomics.store(this.#words, at + KEY, 0);
  }

  #find(nonce: Uint32Array): number {
    const at = slotOf(nonce);
    for (let i = 0; i < NONCE_WORDS; i++) {
      if (Atomics.load(this.#words, at + i) !== (nonce[i]! | 0)) return -1;
    }
    return at;
  }
}

function slotOf(nonce: Uint32Array): number {
  return (nonce[0]! % SLOTS) * WORDS;
}

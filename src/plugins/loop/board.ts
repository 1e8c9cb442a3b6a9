import type { Memory } from "../../engine/memory.ts";
import { NONCE_WORDS } from "./probe_name.ts";

/** Probes that can be out at a time: 64 data planes with a dozen server blocks of several upstreams. */
const PLACES = 4096;
const WORDS = 8;
const KEY = NONCE_WORDS;
const SEEN = NONCE_WORDS + 1;
const MARK = NONCE_WORDS + 2;
const MARK_WORDS = 2;
/** How often a name is drawn again because its place is taken. */
const MAX_DRAWS = 8;

/** Size of a board in bytes. */
export const BOARD_BYTES: number = PLACES * WORDS * Int32Array.BYTES_PER_ELEMENT;

/** How a probe has come back. */
export const RETURNED = {
  NOT: 0,
  /** Its name has: whoever was asked for that, or saw it, can send it. */
  NAME: 1,
  /** Its mark as well: from the upstream, or from whoever passes options on. */
  MARK: 2,
} as const;

/** What a probe is told by. */
export interface ProbeTokens {
  /** Stands in its name. */
  readonly nonce: Uint32Array;
  /** Stands in an option of its query. */
  readonly mark: Uint32Array;
}

/**
 * The probes that are out, in memory that all data planes share: which of them a query comes to is
 * the kernel's choice, so a probe may come back to another one than sent it.
 *
 * ```
 *  place = nonce[0] mod 4096:
 *  | nonce, 4 words | key of the server block, 0: free | one of RETURNED | mark, 2 words |
 * ```
 *
 * The mark is drawn by chance and kept here alone, so whoever was not sent it cannot make it, and one
 * recorded is of no use once its probe is taken down. What a data plane leaves behind that died is
 * overwritten some day; nothing is ever waited for.
 */
export class ProbeBoard {
  readonly #words: Int32Array;

  /** @param buffer - `BOARD_BYTES` of shared memory; without it, a board for one data plane */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(BOARD_BYTES)) {
    this.#words = new Int32Array(buffer);
  }

  /** Draws nonce and mark for a probe of a server block, and puts it up. */
  post(key: number, random: () => number): ProbeTokens {
    const words = this.#words;
    const nonce = new Uint32Array(NONCE_WORDS);
    const mark = Uint32Array.from({ length: MARK_WORDS }, random);
    for (let draw = 1;; draw++) {
      for (let i = 0; i < NONCE_WORDS; i++) nonce[i] = random();
      const at = placeOf(nonce);
      if (Atomics.compareExchange(words, at + KEY, 0, key) !== 0 && draw < MAX_DRAWS) continue;
      for (let i = 0; i < NONCE_WORDS; i++) Atomics.store(words, at + i, nonce[i]! | 0);
      for (let i = 0; i < MARK_WORDS; i++) Atomics.store(words, at + MARK + i, mark[i]! | 0);
      Atomics.store(words, at + SEEN, RETURNED.NOT);
      Atomics.store(words, at + KEY, key);
      return { nonce, mark };
    }
  }

  /** Whether a probe of that server block with this nonce is out. */
  isOut(nonce: Uint32Array, key: number): boolean {
    const at = placeOf(nonce);
    return Atomics.load(this.#words, at + KEY) === key && this.#holds(at, nonce);
  }

  /**
   * Notes that a probe has come back in the query in `memory`, whose mark lies at `markAt` (0 for
   * none). Returns how it had come back before.
   */
  note(nonce: Uint32Array, { view }: Memory, markAt: number): number {
    const at = placeOf(nonce);
    if (!this.#holds(at, nonce)) return RETURNED.NOT;
    let marked = markAt > 0;
    for (let i = 0; i < MARK_WORDS && marked; i++) {
      marked = view.getInt32(markAt + 4 * i) === Atomics.load(this.#words, at + MARK + i);
    }
    const before = Atomics.load(this.#words, at + SEEN);
    const now = marked ? RETURNED.MARK : RETURNED.NAME;
    if (now > before) Atomics.store(this.#words, at + SEEN, now);
    return before;
  }

  /** How the probe has come back, to whichever data plane; one of `RETURNED`. */
  returned(nonce: Uint32Array): number {
    const at = placeOf(nonce);
    return this.#holds(at, nonce) ? Atomics.load(this.#words, at + SEEN) : RETURNED.NOT;
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

import { ADDRESS, CD, DO, HITS, IN_MAIN, STATE, STORED, TTL, USES, USES_SHIFT } from "./row.ts";

/** What a store knows of an entry besides its message: what is kept over a restart. */
export class EntryState {
  /** Tenths of a second of the store's clock; negative for what is older than the store. */
  storedAt = 0;
  ttlSeconds = 0;
  dnssecOk = false;
  checkingDisabled = false;
  /** It is in the main queue: it has been asked for again. */
  main = false;
  /** How often it was asked for lately, 0 to 3. */
  uses = 0;
  /** Queries seen without a gap, for prefetching. */
  hits = 0;
}

/** Tells what there is to know of a row; false where it holds no entry. */
export function describeRow(rows: Int32Array, row: number, into: EntryState): boolean {
  if (rows[row + ADDRESS] === -1) return false;
  const state = rows[row + STATE]!;
  into.storedAt = rows[row + STORED]!;
  into.ttlSeconds = rows[row + TTL]!;
  into.dnssecOk = (state & DO) !== 0;
  into.checkingDisabled = (state & CD) !== 0;
  into.main = (state & IN_MAIN) !== 0;
  into.uses = (state & USES) >> USES_SHIFT;
  into.hits = rows[row + HITS]!;
  return true;
}

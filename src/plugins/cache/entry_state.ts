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

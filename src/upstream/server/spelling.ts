/** Consecutive misspelt replies after which the server is asked over TCP. */
const MAX_MISSPELT = 3;
/** How long a server with wrong replies is asked only over TCP, in milliseconds. */
const TCP_ONLY_MS = 60_000;
/** How long a server that folds case is asked without mixed case, in milliseconds. */
const FOLDS_MS = 3_600_000;

/**
 * Whether names are sent to a server in random case (draft-vixie-dnsext-dns0x20), and over TCP
 * only. A misspelt reply is forged, or its server folds case; TCP tells, where replies cannot be
 * forged.
 */
export class Spelling {
  readonly #enabled: boolean;
  #misspelt = 0;
  #tcpUntilMs = -Infinity;
  #foldsUntilMs = -Infinity;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  isMixed(nowMs: number): boolean {
    return this.#enabled && nowMs >= this.#foldsUntilMs;
  }

  needsTcp(nowMs: number): boolean {
    return nowMs < this.#tcpUntilMs;
  }

  /** Returns whether to give UDP up. */
  misspelt(): boolean {
    return ++this.#misspelt >= MAX_MISSPELT;
  }

  right(): void {
    this.#misspelt = 0;
  }

  suspectForgery(nowMs: number): void {
    this.#tcpUntilMs = nowMs + TCP_ONLY_MS;
  }

  /** A reply over TCP was misspelt: the server folds case. Returns whether that is news. */
  folds(nowMs: number): boolean {
    const news = this.isMixed(nowMs);
    this.#foldsUntilMs = nowMs + FOLDS_MS;
    this.#tcpUntilMs = -Infinity;
    return news;
  }
}

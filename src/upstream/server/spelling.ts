/** Consecutive replies before TCP is asked. */
const MAX_MISSPELT = 3;
const TCP_ONLY_MS = 60_000;
const FOLDS_MS = 3_600_000;

/**
 * Random case of names (draft-vixie-dnsext-dns0x20). After misspelt replies TCP, which cannot be
 * forged, tells if the server folds case.
 */
export class Spelling {
  readonly #enabled: boolean;
  #misspelt = 0;
  #tcpUntilMs = -Infinity;
  #foldsUntilMs = -Infinity;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  isMixed(nowMs: number): boolean {
    return this.#enabled && nowMs >= this.#foldsUntilMs;
  }

  needsTcp(nowMs: number): boolean {
    return nowMs < this.#tcpUntilMs;
  }

  misspelt(): boolean {
    return ++this.#misspelt >= MAX_MISSPELT;
  }

  right(): void {
    this.#misspelt = 0;
  }

  suspectForgery(nowMs: number): void {
    this.#tcpUntilMs = nowMs + TCP_ONLY_MS;
  }

  folds(nowMs: number): boolean {
    const news = this.isMixed(nowMs);
    this.#foldsUntilMs = nowMs + FOLDS_MS;
    this.#tcpUntilMs = -Infinity;
    return news;
  }
}

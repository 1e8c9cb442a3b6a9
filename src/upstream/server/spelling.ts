/** Misspelt replies in a row after which the server is asked over TCP. */
const MAX_MISSPELT = 3;
/** How long a server that sent wrong replies is asked over TCP alone, in milliseconds. */
const TCP_ONLY_MS = 60_000;
/** How long a server that folds the case of names is asked without mixed case, in milliseconds. */
const FOLDS_MS = 3_600_000;

/**
 * Whether names go to a server in random case (draft-vixie-dnsext-dns0x20), and whether over UDP.
 *
 * A reply in other letters is a forgery or comes from a server that folds case. TCP tells them
 * apart: nobody can forge a reply there.
 */
export class Spelling {
  readonly #enabled: boolean;
  #misspelt = 0;
  #tcpUntilMs = -Infinity;
  #foldsUntilMs = -Infinity;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
  }

  /** Whether names are spelt in random case, and wanted back so. */
  isMixed(nowMs: number): boolean {
    return this.#enabled && nowMs >= this.#foldsUntilMs;
  }

  /** Whether the server must be asked over TCP. */
  needsTcp(nowMs: number): boolean {
    return nowMs < this.#tcpUntilMs;
  }

  /** A reply came over UDP in other letters; returns whether it was one too many. */
  misspelt(): boolean {
    return ++this.#misspelt >= MAX_MISSPELT;
  }

  /** A reply came over UDP in the right letters. */
  right(): void {
    this.#misspelt = 0;
  }

  /** Wrong replies came over UDP. */
  doubt(nowMs: number): void {
    this.#tcpUntilMs = nowMs + TCP_ONLY_MS;
  }

  /** The server itself folds case: it said so over TCP. Returns whether that is news. */
  folds(nowMs: number): boolean {
    const news = this.isMixed(nowMs);
    this.#foldsUntilMs = nowMs + FOLDS_MS;
    this.#tcpUntilMs = -Infinity;
    return news;
  }
}

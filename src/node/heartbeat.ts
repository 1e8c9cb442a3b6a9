/** One entry that is kept alive, and what must answer for it. */
export interface Beat {
  /** List of `-m recent` that it stands in. */
  readonly list: string;
  /** Address as it stands there. */
  readonly entry: string;
  /** Where to ask whether nodens answers. */
  readonly target: { readonly address: string; readonly port: number };
}

/**
 * Has the data plane keep these beats' entries, and no others; resolves after a round with why the
 * entries of lists cannot be renewed, by list. Rejects if the data plane does not say.
 */
export type KeepBeats = (
  beats: readonly Beat[],
  options: { handedOver: boolean },
) => Promise<Readonly<Record<string, string>>>;

/**
 * The entries of `-m recent` by which the rules know that nodens answers. The data plane itself renews
 * them, for as long as its own queries to these addresses are answered; here is said which, and what
 * is wrong is remembered. So whatever keeps answers away (a crash, a hang, a stopped process) lets
 * entries grow old, and the rules send the traffic elsewhere, and what keeps this thread busy does not.
 */
export class Heartbeat {
  readonly #keep: KeepBeats;
  #beats: readonly Beat[] = [];
  #faults: Readonly<Record<string, string>> = {};
  #beating: Promise<void> | null = null;

  constructor(keep: KeepBeats) {
    this.#keep = keep;
  }

  /** Keeps these alive from now on; entries that are none of them any more are taken out. */
  set(beats: readonly Beat[]): void {
    this.#beats = beats;
    this.#beating = null;
    void this.beat();
  }

  /** Asks and renews once; what is under way already is joined. Never rejects. */
  beat(): Promise<void> {
    if (this.#beating !== null) return this.#beating;
    const beating = this.#keep(this.#beats, { handedOver: false }).then(
      (faults) => void (this.#faults = faults),
      // A data plane that does not answer says nothing of the lists: the rules stay as they are.
      () => {},
    ).finally(() => {
      if (this.#beating === beating) this.#beating = null;
    });
    return this.#beating = beating;
  }

  /** Why the entries of a list cannot be renewed, or null. */
  faultOf(list: string): string | null {
    return this.#faults[list] ?? null;
  }

  /**
   * Renews nothing any more. Takes the entries out too, so that traffic turns away at once, unless
   * another process renews them from now on.
   */
  stop({ handedOver = false } = {}): void {
    this.#beats = [];
    this.#beating = null;
    this.#keep([], { handedOver }).catch(() => {
      // Its entries grow old by themselves.
    });
  }
}

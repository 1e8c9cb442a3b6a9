/** An entry and its target. */
export interface Beat {
  readonly list: string;
  readonly entry: string;
  readonly target: { readonly address: string; readonly port: number };
}

/** Replaces the entries; resolves after a round with list faults. Rejects without an answer. */
type KeepBeats = (
  beats: readonly Beat[],
  options: { handedOver: boolean },
) => Promise<Readonly<Record<string, string>>>;

/**
 * Maintains `-m recent` entries that signal liveness to the rules. The data plane renews them while
 * it answers, so they expire after a crash or hang, not while the control plane is busy.
 */
export class Heartbeat {
  readonly #keep: KeepBeats;
  #beats: readonly Beat[] = [];
  #faults: Readonly<Record<string, string>> = {};
  #beating: Promise<void> | null = null;

  constructor(keep: KeepBeats) {
    this.#keep = keep;
  }

  /** Replaces the entries; resolves after a round. Never rejects. */
  set(beats: readonly Beat[]): Promise<void> {
    this.#beats = beats;
    this.#beating = null;
    return this.beat();
  }

  /** Renews once, or joins a round. Never rejects. */
  beat(): Promise<void> {
    if (this.#beating !== null) return this.#beating;
    const beating = this.#keep(this.#beats, { handedOver: false }).then(
      (faults) => void (this.#faults = faults),
      () => {},
    ).finally(() => {
      if (this.#beating === beating) this.#beating = null;
    });
    return this.#beating = beating;
  }

  faultOf(list: string): string | null {
    return this.#faults[list] ?? null;
  }

  /** Removes the entries, unless another process renews them. */
  stop({ handedOver = false } = {}): void {
    this.#beats = [];
    this.#beating = null;
    this.#keep([], { handedOver }).catch(() => {});
  }
}

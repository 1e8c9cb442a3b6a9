/** One entry that is kept alive, and what must answer for it. */
export interface Beat {
  /** List of `-m recent` that it stands in. */
  readonly list: string;
  /** Address as it stands there. */
  readonly entry: string;
  /** Where to ask whether nodens answers. */
  readonly target: { readonly address: string; readonly port: number };
}

/** A list of `-m recent`, opened for writing (`/proc/net/xt_recent/NAME`). */
export interface HeartbeatList {
  write(text: string): boolean;
  close(): void;
}

/** What a heartbeat needs of the machine. */
export interface HeartbeatOptions {
  /** Asks a listener; whether it answered in time. */
  ask: (target: Beat["target"]) => Promise<boolean>;
  /** Opens a list, which is there only while a rule refers to it; throws where it cannot. */
  open: (list: string) => HeartbeatList;
  /** Told of the first answer, of the first one missing, and so on. */
  onChange?: (beat: Beat, alive: boolean) => void;
  /** Told when a list cannot be written to any more: mostly the rules are gone, and it with them. */
  onFault?: (list: string) => void;
}

/** Time between two beats. Four fit into the two seconds that the rules wait for the next. */
const PERIOD_MS = 500;

/**
 * Keeps entries of `-m recent` alive, by which the rules know that nodens answers: every half second
 * each address is asked, and its entry renewed when the answer is there. So whatever keeps answers
 * away (a crash, a hang, a stopped process) lets the entry grow old, and the rules send the traffic
 * elsewhere.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #beats: readonly Beat[] = [];
  readonly #lists = new Map<string, HeartbeatList>();
  readonly #alive = new Map<string, boolean>();
  readonly #faults = new Map<string, string>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #beating: Promise<void> | null = null;
  #stopped = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Keeps these alive from now on; entries that are none of them any more are taken out. */
  set(beats: readonly Beat[]): void {
    const kept = new Set(beats.map(keyOf));
    for (const beat of this.#beats) if (!kept.has(keyOf(beat))) this.#remove(beat);
    this.#beats = beats;
    this.#stopped = false;
    if (beats.length > 0) this.#timer ??= setInterval(() => void this.beat(), PERIOD_MS);
    else this.#clearTimer();
  }

  /** Asks and renews once; what is under way already is joined. Never rejects. */
  beat(): Promise<void> {
    const beats = this.#beats;
    return this.#beating ??= Promise.all(beats.map((beat) => this.#beat(beat)))
      .then(() => {}).finally(() => this.#beating = null);
  }

  /** Why the entries of a list cannot be renewed, or null. */
  faultOf(list: string): string | null {
    return this.#faults.get(list) ?? null;
  }

  /**
   * Renews nothing any more. Takes the entries out too, so that traffic turns away at once, unless
   * another process renews them from now on.
   */
  stop({ handedOver = false } = {}): void {
    this.#stopped = true;
    this.#clearTimer();
    if (!handedOver) { for (const beat of this.#beats) this.#remove(beat); }
    this.#beats = [];
    for (const list of this.#lists.values()) list.close();
    this.#lists.clear();
    this.#alive.clear();
  }

  async #beat(beat: Beat): Promise<void> {
    let alive = false;
    try {
      alive = await this.#options.ask(beat.target);
    } catch (error) {
      this.#faults.set(beat.list, (error as Error).message);
      return;
    }
    // Stopped while the answer was under way: the entry must not come back.
    if (this.#stopped || !this.#beats.includes(beat)) return;
    if (alive) {
      const fault = this.#write(beat.list, `+${beat.entry}`);
      if (fault === null) {
        this.#faults.delete(beat.list);
      } else {
        const isNew = !this.#faults.has(beat.list);
        this.#faults.set(beat.list, fault);
        if (isNew) this.#options.onFault?.(beat.list);
        // It answers, but the rules do not know that.
        return;
      }
    }
    if (this.#alive.get(keyOf(beat)) === alive) return;
    this.#alive.set(keyOf(beat), alive);
    this.#options.onChange?.(beat, alive);
  }

  #remove(beat: Beat): void {
    this.#write(beat.list, `-${beat.entry}`);
    this.#alive.delete(keyOf(beat));
  }

  /** Writes to a list; null, or what is wrong. */
  #write(name: string, text: string): string | null {
    // A list that went with its last rule and came back is another file.
    for (let attempt = 0; attempt < 2; attempt++) {
      let list = this.#lists.get(name);
      if (list === undefined) {
        try {
          list = this.#options.open(name);
        } catch (error) {
          return (error as Error).message;
        }
        this.#lists.set(name, list);
      }
      if (list.write(text)) return null;
      list.close();
      this.#lists.delete(name);
    }
    return `the kernel refused "${text}" for the list "${name}"`;
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

function keyOf({ list, entry }: Beat): string {
  return `${list} ${entry}`;
}

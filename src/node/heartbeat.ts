import type { ListEntry, SelfChecks } from "../control/plane/self_checks.ts";

/**
 * Maintains `-m recent` entries for the rules. The data plane renews them while it answers: they
 * expire after a crash or hang.
 */
export class Heartbeat {
  readonly #checks: Pick<SelfChecks, "keepEntries">;
  #entries: readonly ListEntry[] = [];
  #faults: Readonly<Record<string, string>> = {};
  #beating: Promise<void> | null = null;

  constructor(checks: Pick<SelfChecks, "keepEntries">) {
    this.#checks = checks;
  }

  /** Replaces the entries; resolves after a round. Never rejects. */
  set(entries: readonly ListEntry[]): Promise<void> {
    this.#entries = entries;
    this.#beating = null;
    return this.beat();
  }

  /** Renews once, or joins a round. Never rejects. */
  beat(): Promise<void> {
    if (this.#beating !== null) return this.#beating;
    const beating = this.#checks.keepEntries(this.#entries).then(
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

  /** Removes entries, unless another process renews them. */
  stop({ handedOver = false } = {}): void {
    this.#entries = [];
    this.#beating = null;
    this.#checks.keepEntries([], { leave: handedOver }).catch(() => {});
  }
}

import {
  type CheckPlan,
  type ListFaults,
  VERDICT,
  VERDICTS,
  type Watchdog,
} from "../../io/check_plan.ts";
import type { ProbeTarget } from "../../io/probe_socket.ts";
import type { DataPlane } from "./data_plane.ts";

/** An entry of a list of `-m recent` that stays there as long as its target answers. */
export interface ListEntry {
  readonly list: string;
  readonly entry: string;
  readonly target: ProbeTarget;
}

/** What the last round of checks found. */
export interface Verdicts {
  /** Rounds that are over; 0 before the first one. */
  readonly rounds: number;
  readonly durationMs: number;
  /** The first listener that did not answer, or null. */
  readonly silent: ProbeTarget | null;
}

/**
 * What the first data plane checks on behalf of the whole process (`SelfCheck`), put together from
 * what `/health`, the rules of fail-open and the service manager want. The verdicts lie in shared
 * memory: reading them waits for nobody.
 */
export class SelfChecks {
  readonly #planes: readonly DataPlane[];
  #listeners: readonly ProbeTarget[] = [];
  #entries: readonly ListEntry[] = [];
  #watchdog: Watchdog | null = null;
  #verdicts: Float64Array = new Float64Array(VERDICTS.FIRST_TARGET);
  /** Listeners whose verdicts stay when other things change. */
  #known = 0;

  /** @param planes - those that share the ports; the first of them checks */
  constructor(planes: readonly DataPlane[]) {
    this.#planes = planes;
  }

  /** Called with the name of a list that entries can no longer be written to. */
  set onUnwritable(told: (list: string) => void) {
    this.#planes[0]!.onUnwritable = told;
  }

  /** Has these listeners asked for `/health`; resolves after the first round. */
  async watchListeners(listeners: readonly ProbeTarget[]): Promise<void> {
    this.#listeners = listeners;
    this.#known = 0;
    await this.#follow(false);
  }

  /**
   * Keeps these entries, and no others, in their lists; resolves after a round with why the entries
   * of lists cannot be renewed.
   *
   * @param options - `leave`: entries that are none of them any more are not taken out
   */
  keepEntries(entries: readonly ListEntry[], { leave = false } = {}): Promise<ListFaults> {
    this.#entries = entries;
    return this.#follow(leave);
  }

  /** Gives a watchdog signs of life. */
  async watch(watchdog: Watchdog): Promise<void> {
    this.#watchdog = watchdog;
    await this.#follow(false);
  }

  /** What is known of the listeners. */
  get verdicts(): Verdicts {
    const values = this.#verdicts;
    const silent = this.#listeners.find((_, i) =>
      values[VERDICTS.FIRST_TARGET + i] !== VERDICT.ANSWERS
    );
    return {
      rounds: values[VERDICTS.ROUNDS]!,
      durationMs: values[VERDICTS.DURATION_MS]!,
      silent: silent ?? null,
    };
  }

  #follow(leaveEntries: boolean): Promise<ListFaults> {
    // Those for `/health` first, so that their verdicts are where they are looked for.
    const targets = new Map(this.#listeners.map((target) => [keyOf(target), target]));
    this.#listeners = [...targets.values()];
    for (const { target } of this.#entries) targets.set(keyOf(target), target);
    const order = [...targets.keys()];
    const beats = this.#entries.map(({ list, entry, target }) => ({
      list,
      entry,
      target: order.indexOf(keyOf(target)),
    }));
    const size = VERDICTS.FIRST_TARGET + order.length;
    const verdicts = new SharedArrayBuffer(size * Float64Array.BYTES_PER_ELEMENT);
    const plan: CheckPlan = {
      targets: [...targets.values()],
      beats,
      leaveEntries,
      watchdog: this.#watchdog,
      peers: this.#planes.slice(1).map(({ values }) => values.buffer as SharedArrayBuffer),
      verdicts,
    };
    const known = this.#verdicts.subarray(0, VERDICTS.FIRST_TARGET + this.#known);
    this.#verdicts = new Float64Array(verdicts);
    this.#verdicts.set(known);
    this.#known = this.#listeners.length;
    return this.#planes[0]!.check(plan);
  }
}

function keyOf({ address, port, mark }: ProbeTarget): string {
  return `${address} ${port} ${mark}`;
}

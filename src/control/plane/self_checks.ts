import {
  type CheckPlan,
  type ListFaults,
  type ProbeTarget,
  VERDICT,
  verdictCount,
  VERDICTS,
  type Watchdog,
} from "../../io/check_plan.ts";
import type { DataPlane } from "./data_plane.ts";

/** Entry of an `-m recent` list. */
export interface ListEntry {
  readonly list: string;
  readonly entry: string;
  readonly target: ProbeTarget;
}

/** Self-checks by the first data plane (`SelfCheck`). */
export class SelfChecks {
  readonly #planes: readonly DataPlane[];
  #listeners: readonly ProbeTarget[] = [];
  #entries: readonly ListEntry[] = [];
  #watchdog: Watchdog | null = null;
  #verdicts: Float64Array = new Float64Array(VERDICTS.FIRST_TARGET);
  #known = 0;
  #planned: readonly ListEntry[] = [];

  constructor(planes: readonly DataPlane[]) {
    this.#planes = planes;
  }

  set onUnwritable(listener: (list: string) => void) {
    this.#planes[0]!.onUnwritable = listener;
  }

  async watchListeners(listeners: readonly ProbeTarget[]): Promise<void> {
    this.#listeners = listeners;
    this.#known = 0;
    await this.#update();
  }

  /** Renews entries; resolves with a round's faults. `leave`: do not remove others. */
  keepEntries(entries: readonly ListEntry[], { leave = false } = {}): Promise<ListFaults> {
    this.#entries = entries;
    return this.#update(leave);
  }

  async watch(watchdog: Watchdog): Promise<void> {
    this.#watchdog = watchdog;
    await this.#update();
  }

  get verdicts(): { rounds: number; durationMs: number; silent: ProbeTarget | null } {
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

  /** Age of each entry as its rules see it; Infinity if never renewed. */
  get entryAges(): { entry: ListEntry; ageMs: number }[] {
    const sinceMs = this.#planes[0]!.heartbeatAgeMs;
    return this.#planned.map((entry, i) => {
      const renewedMs = this.#renewedMs[i]!;
      const ageMs = this.#verdicts[VERDICTS.ROUND_MS]! - renewedMs + sinceMs;
      return { entry, ageMs: renewedMs === 0 ? Infinity : ageMs };
    });
  }

  get #renewedMs(): Float64Array {
    return this.#verdicts.subarray(this.#verdicts.length - this.#planned.length);
  }

  #update(leaveEntries = false): Promise<ListFaults> {
    // Listeners first: verdicts have their indexes.
    const targets = new Map(this.#listeners.map((target) => [keyOf(target), target]));
    this.#listeners = [...targets.values()];
    for (const { target } of this.#entries) targets.set(keyOf(target), target);
    const order = [...targets.keys()];
    const checked = {
      targets: [...targets.values()],
      beats: this.#entries.map((entry) => ({
        ...entry,
        target: order.indexOf(keyOf(entry.target)),
      })),
    };
    const verdicts = new SharedArrayBuffer(8 * verdictCount(checked));
    const renewedMs = new Map(
      this.#planned.map((entry, i) => [entryKey(entry), this.#renewedMs[i]!]),
    );
    const plan: CheckPlan = {
      ...checked,
      leaveEntries,
      watchdog: this.#watchdog,
      peers: this.#planes.slice(1).map(({ values }) => values.buffer),
      verdicts,
    };
    const known = this.#verdicts.subarray(0, VERDICTS.FIRST_TARGET + this.#known);
    this.#verdicts = new Float64Array(verdicts);
    this.#verdicts.set(known);
    this.#known = this.#listeners.length;
    this.#planned = this.#entries;
    // Until the first round of this plan ends.
    this.#renewedMs.set(this.#planned.map((entry) => renewedMs.get(entryKey(entry)) ?? 0));
    return this.#planes[0]!.check(plan);
  }
}

function keyOf({ address, port, mark }: ProbeTarget): string {
  return `${address} ${port} ${mark}`;
}

function entryKey({ list, entry }: ListEntry): string {
  return `${list} ${entry}`;
}

import type { LogLevel } from "../engine/handler.ts";
import type { Timer, Timers } from "../engine/timers.ts";
import { BeatAge } from "./beat_age.ts";
import {
  type Beat,
  type CheckPlan,
  type ListFaults,
  nextPause,
  type OpenProbe,
  type ProbeSocket,
  SIGN_OF_LIFE,
  VERDICT,
  VERDICTS,
} from "./check_plan.ts";

/** Four within the two seconds after which rules redirect queries. */
const BEAT_MS = 500;
const ROUND_MS = 1000;
/** Of the interval. */
const LIMIT = 0.9;
/** Since its last turn. */
const PEER_SILENT_MS = 2000;

interface Sink<T> {
  write(what: T): boolean;
  close(): void;
}

interface SelfCheckOptions {
  timers: Timers;
  nowMs: () => number;
  openProbe: OpenProbe;
  openList: (list: string) => Sink<string>;
  openManager: (name: string) => Sink<Uint8Array>;
  log: (level: LogLevel, line: string) => void;
  /** Usually removed with the rules. */
  onUnwritable: (list: string) => void;
}

/**
 * Checks within the loop whether it answers; informs fail-open rules, watchdog and control plane. A
 * probe is a real query: it tests loop, listener, address and rules.
 */
export class SelfCheck {
  readonly #options: SelfCheckOptions;
  readonly #round: Timer;
  readonly #poll: Timer;
  readonly #sign: Timer;
  #plan: CheckPlan | null = null;
  #verdicts: Float64Array = new Float64Array(VERDICTS.FIRST_TARGET);
  #peers: BeatAge[] = [];
  #probes: (ProbeSocket | null)[] = [];
  #sentMs = 0;
  #pauseMs = 0;
  #waiting: ((faults: ListFaults) => void)[] = [];
  readonly #lists: RecentLists;
  /** Last and current round. */
  #faults = new Map<string, string>();
  #newFaults = new Map<string, string>();
  readonly #alive = new Map<string, boolean>();
  /** The kernel's entries outlive plans. */
  readonly #renewedMs = new Map<string, number>();
  #manager: Sink<Uint8Array> | null = null;
  #peersSilent = false;
  #unopened = false;

  constructor(options: SelfCheckOptions) {
    this.#options = options;
    const { timers, openList } = options;
    this.#lists = new RecentLists(openList);
    this.#round = timers.create((nowMs) => this.#begin(nowMs));
    this.#poll = timers.create((nowMs) => this.#pollProbes(nowMs));
    this.#sign = timers.create((nowMs) => this.#giveSign(nowMs));
  }

  /** Removes entries that the plan lacks. `done` follows the first round. */
  follow(plan: CheckPlan, done?: (faults: ListFaults) => void): void {
    const { timers, nowMs: now } = this.#options;
    const nowMs = now();
    this.#dropEntries(plan);
    this.#closeProbes();
    this.#plan = plan;
    this.#verdicts = new Float64Array(plan.verdicts);
    // The peers, and so ages, stay.
    if (this.#peers.length === 0) {
      this.#peers = plan.peers.map((buffer) => new BeatAge(new Float64Array(buffer), nowMs));
    }
    if (done !== undefined) this.#waiting.push(done);
    this.#manager?.close();
    this.#manager = null;
    this.#unopened = false;
    timers.clear(this.#sign);
    if (plan.watchdog !== null) this.#giveSign(nowMs);
    this.#begin(nowMs);
  }

  /** Entries stay in their lists and expire. */
  end(): void {
    const { timers } = this.#options;
    for (const timer of [this.#round, this.#poll, this.#sign]) timers.clear(timer);
    this.#closeProbes();
    this.#lists.closeExcept(new Set());
    this.#manager?.close();
    this.#manager = null;
    this.#plan = null;
  }

  #begin(nowMs: number): void {
    const { timers, openProbe } = this.#options;
    const { targets, beats } = this.#plan!;
    this.#closeProbes();
    this.#sentMs = nowMs;
    this.#newFaults = new Map();
    // Else this thread seems late.
    const needed = targets.length + this.#peers.length > 0;
    if (needed) timers.set(this.#round, nowMs + this.#periodMs);
    else timers.clear(this.#round);
    targets.forEach((target, i) => {
      try {
        this.#probes[i] = openProbe(target);
        if (this.#probes[i] === null) this.#judge(i, false);
      } catch (error) {
        this.#probes[i] = null;
        this.#verdicts[VERDICTS.FIRST_TARGET + i] = VERDICT.SILENT;
        const why = (error as Error).message;
        for (const { list, target } of beats) if (target === i) this.#newFaults.set(list, why);
      }
    });
    this.#pauseMs = 0;
    this.#peersTurn(nowMs);
    this.#continue(nowMs);
  }

  get #periodMs(): number {
    return this.#plan!.beats.length > 0 ? BEAT_MS : ROUND_MS;
  }

  #pollProbes(nowMs: number): void {
    const late = nowMs - this.#sentMs >= LIMIT * this.#periodMs;
    this.#probes.forEach((probe, i) => {
      if (probe === null) return;
      const answered = probe.answered();
      if (!answered && !late) return;
      probe.close();
      this.#probes[i] = null;
      this.#judge(i, answered && this.#peersTurn(nowMs));
    });
    this.#continue(nowMs);
  }

  #continue(nowMs: number): void {
    const { timers } = this.#options;
    if (this.#probes.some((probe) => probe !== null)) {
      this.#pauseMs = nextPause(this.#pauseMs);
      timers.set(this.#poll, nowMs + this.#pauseMs);
      return;
    }
    timers.clear(this.#poll);
    this.#verdicts[VERDICTS.DURATION_MS] = nowMs - this.#sentMs;
    this.#verdicts[VERDICTS.ROUND_MS] = nowMs;
    const { targets, beats } = this.#plan!;
    const first = VERDICTS.FIRST_TARGET + targets.length;
    beats.forEach((beat, i) => this.#verdicts[first + i] = this.#renewedMs.get(keyOf(beat)) ?? 0);
    this.#verdicts[VERDICTS.ROUNDS]!++;
    this.#faults = this.#newFaults;
    const faults = Object.fromEntries(this.#faults);
    for (const done of this.#waiting.splice(0)) done(faults);
  }

  #judge(index: number, answers: boolean): void {
    this.#verdicts[VERDICTS.FIRST_TARGET + index] = answers ? VERDICT.ANSWERS : VERDICT.SILENT;
    for (const beat of this.#plan!.beats) if (beat.target === index) this.#beat(beat, answers);
  }

  #beat(beat: Beat, answers: boolean): void {
    const { log, onUnwritable } = this.#options;
    const { list, entry, target } = beat;
    const fault = answers ? this.#lists.write(list, `+${entry}`) : null;
    if (fault !== null) {
      const isNew = !this.#faults.has(list) && !this.#newFaults.has(list);
      this.#newFaults.set(list, fault);
      if (isNew) onUnwritable(list);
      // The rules do not know that it answers.
      return;
    }
    if (answers) this.#renewedMs.set(keyOf(beat), this.#options.nowMs());
    if (this.#alive.get(keyOf(beat)) === answers) return;
    this.#alive.set(keyOf(beat), answers);
    const { address } = this.#plan!.targets[target]!;
    if (answers) log("info", `fail-open: ${address} answers, and takes its queries`);
    else {
      const line = `fail-open: ${address} does not answer; its queries go elsewhere until it does`;
      log("warning", line);
    }
  }

  #dropEntries(next: CheckPlan): void {
    const kept = new Set(next.beats.map(keyOf));
    for (const beat of this.#plan?.beats ?? []) {
      if (kept.has(keyOf(beat))) continue;
      this.#alive.delete(keyOf(beat));
      this.#renewedMs.delete(keyOf(beat));
      if (!next.leaveEntries) this.#lists.write(beat.list, `-${beat.entry}`);
    }
    this.#lists.closeExcept(new Set(next.beats.map(({ list }) => list)));
  }

  #peersTurn(nowMs: number): boolean {
    const agesMs = this.#peers.map((peer) => peer.look(nowMs));
    return agesMs.every((ageMs) => ageMs < PEER_SILENT_MS);
  }

  #giveSign(nowMs: number): void {
    const { timers, log, openManager } = this.#options;
    const { everyMs, socket } = this.#plan!.watchdog!;
    timers.set(this.#sign, nowMs + everyMs);
    try {
      this.#manager ??= openManager(socket);
      this.#unopened = false;
    } catch (error) {
      const line = `the watchdog gets no sign of life: ${(error as Error).message}`;
      if (!this.#unopened) log("warning", line);
      this.#unopened = true;
      return;
    }
    const silent = !this.#peersTurn(nowMs);
    if (silent && !this.#peersSilent) {
      log("warning", "a data plane does not answer: the watchdog gets no sign of life");
    }
    this.#peersSilent = silent;
    // The next sign is as good.
    if (!silent) this.#manager.write(SIGN_OF_LIFE);
  }

  #closeProbes(): void {
    for (const probe of this.#probes) probe?.close();
    this.#probes = [];
  }
}

function keyOf({ list, entry }: Beat): string {
  return `${list} ${entry}`;
}

class RecentLists {
  readonly #openList: (name: string) => Sink<string>;
  readonly #open = new Map<string, Sink<string>>();

  /** @param openList - throws without a rule */
  constructor(openList: (name: string) => Sink<string>) {
    this.#openList = openList;
  }

  write(name: string, text: string): string | null {
    // Recreated lists are other files.
    for (let attempt = 0; attempt < 2; attempt++) {
      let list = this.#open.get(name);
      try {
        list ??= this.#openList(name);
      } catch (error) {
        return (error as Error).message;
      }
      this.#open.set(name, list);
      if (list.write(text)) return null;
      list.close();
      this.#open.delete(name);
    }
    return `the kernel refused "${text}" for the list "${name}"`;
  }

  closeExcept(names: ReadonlySet<string>): void {
    for (const [name, list] of this.#open) {
      if (names.has(name)) continue;
      list.close();
      this.#open.delete(name);
    }
  }
}

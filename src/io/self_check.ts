import type { LogLevel } from "../engine/handler.ts";
import type { Timer, Timers } from "../engine/timers.ts";
import { BeatAge } from "./beat_age.ts";
import {
  type Beat,
  type CheckPlan,
  type ListFaults,
  SIGN_OF_LIFE,
  VERDICT,
  VERDICTS,
  type Watchdog,
} from "./check_plan.ts";
import { nextPause, type OpenProbe, type ProbeSocket } from "./probe_socket.ts";
import { RecentLists, type Sink } from "./recent_lists.ts";

/** Time between two beats. Four fit into the two seconds that the rules wait for the next. */
const BEAT_MS = 500;
/** Time between two rounds where nobody but `/health` wants to know. */
const ROUND_MS = 1000;
/** Part of that time in which an answer must come. */
const LIMIT = 0.9;
/** A data plane beside this one that has not come round for so long is silent; it should every second. */
const PEER_SILENT_MS = 2000;

/** What the check needs of the thread that it runs in. */
export interface SelfCheckOptions {
  /** The engine's timers: they fire when the loop comes round. */
  timers: Timers;
  nowMs: () => number;
  openProbe: OpenProbe;
  /** Opens a list of `-m recent`; throws where it is not there or cannot be written to. */
  openList: (list: string) => Sink<string>;
  /** Opens a service manager's socket; throws. */
  openManager: (name: string) => Sink<Uint8Array>;
  log: (level: LogLevel, line: string) => void;
  /** A list cannot be written to any more: mostly the rules are gone, and it with them. */
  onUnwritable: (list: string) => void;
}

/**
 * Finds out from within the data plane's loop whether it answers, and tells those who must know:
 * the rules of fail-open, the service manager's watchdog, and the control plane, which reads shared
 * memory. So what they see depends on nothing but the thread that answers.
 *
 * A probe is a real query from a fresh port to a listener's address. It is answered only where the
 * loop comes round, the listener is open, the address is there, and no rule keeps the query away. A
 * loop that hangs stops everything here by itself.
 */
export class SelfCheck {
  readonly #options: SelfCheckOptions;
  readonly #round: Timer;
  readonly #poll: Timer;
  readonly #sign: Timer;
  #plan: CheckPlan | null = null;
  #verdicts: Float64Array = new Float64Array(VERDICTS.FIRST_TARGET);
  #peers: BeatAge[] = [];
  /** Probes under way, by target; null where its verdict is known. */
  #probes: (ProbeSocket | null)[] = [];
  #sentMs = 0;
  /** Pause before the last look of this round. */
  #pauseMs = 0;
  /** Who waits for the end of the round. */
  #waiting: ((faults: ListFaults) => void)[] = [];
  readonly #lists: RecentLists;
  /** Why entries could not be renewed, by list: in the last round, and in the one under way. */
  #faults = new Map<string, string>();
  #newFaults = new Map<string, string>();
  readonly #alive = new Map<string, boolean>();
  #manager: Sink<Uint8Array> | null = null;
  #silent = false;
  /** The manager's socket cannot be opened, which was said. */
  #deaf = false;

  constructor(options: SelfCheckOptions) {
    this.#options = options;
    const { timers, openList } = options;
    this.#lists = new RecentLists(openList);
    this.#round = timers.create((nowMs) => this.#begin(nowMs));
    this.#poll = timers.create((nowMs) => this.#look(nowMs));
    this.#sign = timers.create((nowMs) => this.#giveSign(nowMs));
  }

  /**
   * Follows this plan from now on, beginning with a round at once; entries that it does not have are
   * taken out of their lists, so that traffic turns away. `done` is told of the end of the round.
   */
  follow(plan: CheckPlan, done?: (faults: ListFaults) => void): void {
    const nowMs = this.#options.nowMs();
    this.#dropEntries(plan);
    this.#closeProbes();
    this.#plan = plan;
    this.#verdicts = new Float64Array(plan.verdicts);
    // They are the same in every plan, and what is known of them stays.
    if (this.#peers.length === 0) {
      this.#peers = plan.peers.map((buffer) => new BeatAge(new Float64Array(buffer), nowMs));
    }
    if (done !== undefined) this.#waiting.push(done);
    this.#watch(plan.watchdog, nowMs);
    this.#begin(nowMs);
  }

  /** Ends it; entries of lists stay and grow old. */
  end(): void {
    const { timers } = this.#options;
    for (const timer of [this.#round, this.#poll, this.#sign]) timers.clear(timer);
    this.#closeProbes();
    this.#lists.closeBut(new Set());
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
    // Peers must be looked at often, or this thread takes itself for late.
    const needed = targets.length + this.#peers.length > 0;
    if (needed) timers.set(this.#round, nowMs + this.#periodMs);
    else timers.clear(this.#round);
    targets.forEach((target, i) => {
      try {
        this.#probes[i] = openProbe(target);
        if (this.#probes[i] === null) this.#judge(i, false);
      } catch (error) {
        // The rules must not wait for what cannot be.
        this.#probes[i] = null;
        this.#verdicts[VERDICTS.FIRST_TARGET + i] = VERDICT.SILENT;
        const why = (error as Error).message;
        for (const { list, target } of beats) if (target === i) this.#newFaults.set(list, why);
      }
    });
    this.#pauseMs = 0;
    this.#peersComeRound(nowMs);
    this.#wait(nowMs);
  }

  get #periodMs(): number {
    return this.#plan!.beats.length > 0 ? BEAT_MS : ROUND_MS;
  }

  /** Looks for answers, and gives up those that do not come. */
  #look(nowMs: number): void {
    const late = nowMs - this.#sentMs >= LIMIT * this.#periodMs;
    this.#probes.forEach((probe, i) => {
      if (probe === null) return;
      const answered = probe.answered();
      if (!answered && !late) return;
      probe.close();
      this.#probes[i] = null;
      this.#judge(i, answered && this.#peersComeRound(nowMs));
    });
    this.#wait(nowMs);
  }

  /** Sees to the next look, or to the end of the round. */
  #wait(nowMs: number): void {
    const { timers } = this.#options;
    if (this.#probes.some((probe) => probe !== null)) {
      this.#pauseMs = nextPause(this.#pauseMs);
      timers.set(this.#poll, nowMs + this.#pauseMs);
      return;
    }
    timers.clear(this.#poll);
    this.#verdicts[VERDICTS.DURATION_MS] = nowMs - this.#sentMs;
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
    if (answers) {
      const fault = this.#lists.write(list, `+${entry}`);
      if (fault !== null) {
        const isNew = !this.#faults.has(list) && !this.#newFaults.has(list);
        this.#newFaults.set(list, fault);
        if (isNew) onUnwritable(list);
        // It answers, but the rules do not know that.
        return;
      }
    }
    if (this.#alive.get(keyOf(beat)) === answers) return;
    this.#alive.set(keyOf(beat), answers);
    const { address } = this.#plan!.targets[target]!;
    if (answers) log("info", `fail-open: ${address} answers, and takes its queries`);
    else {
      const line = `fail-open: ${address} does not answer; its queries go elsewhere until it does`;
      log("warning", line);
    }
  }

  /** Takes out the entries that the next plan does not have. */
  #dropEntries(next: CheckPlan): void {
    const kept = new Set(next.beats.map(keyOf));
    for (const beat of this.#plan?.beats ?? []) {
      if (kept.has(keyOf(beat))) continue;
      this.#alive.delete(keyOf(beat));
      if (!next.leaveEntries) this.#lists.write(beat.list, `-${beat.entry}`);
    }
    const lists = new Set(next.beats.map(({ list }) => list));
    this.#lists.closeBut(lists);
  }

  #peersComeRound(nowMs: number): boolean {
    // Each is looked at, whatever the one before it shows.
    return this.#peers.map((peer) => peer.look(nowMs)).every((ageMs) => ageMs < PEER_SILENT_MS);
  }

  #watch(watchdog: Watchdog | null, nowMs: number): void {
    const { timers } = this.#options;
    this.#manager?.close();
    this.#manager = null;
    this.#deaf = false;
    timers.clear(this.#sign);
    if (watchdog !== null) this.#giveSign(nowMs);
  }

  #giveSign(nowMs: number): void {
    const { timers, log, openManager } = this.#options;
    const { everyMs, socket } = this.#plan!.watchdog!;
    timers.set(this.#sign, nowMs + everyMs);
    try {
      this.#manager ??= openManager(socket);
      this.#deaf = false;
    } catch (error) {
      // No descriptor, perhaps: it is tried again with the next one.
      const line = `the watchdog gets no sign of life: ${(error as Error).message}`;
      if (!this.#deaf) log("warning", line);
      this.#deaf = true;
      return;
    }
    const silent = !this.#peersComeRound(nowMs);
    if (silent && !this.#silent) {
      log("warning", "a data plane does not answer: the watchdog gets no sign of life");
    }
    this.#silent = silent;
    // The next one says more than a repetition of this one would.
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

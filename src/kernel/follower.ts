import type { Cancel, Clock } from "../base/clock.ts";
import { ERRNO } from "../sys/constants.ts";
import {
  foreignPrograms,
  type InterfaceProgram,
  isUnreadable,
  PROGRAM_NAME,
  programText,
} from "./interface_programs.ts";
import type { Attachment, Interfaces } from "./interfaces.ts";
import { type Reason, Refusal, refusalOf } from "./refusal.ts";
import type { Refusals } from "./refusals.ts";
import { type Candidate, chooseInterfaces, MAX_INTERFACES, type Selection } from "./selection.ts";

const TURN_MS = 250;
/** Looks at all links: after notices, and without. */
const LOOK_MS = { least: 500, most: 10_000 } as const;
/** A CNI attaches its programs to a new interface first. */
const SETTLE_MS = 2000;
/** Each interface, if there are at most 256. */
const CHECK_MS = 1000;
/** Four system calls each: 3 ms a turn. */
const CHECKS_PER_TURN = 64;
/** After a failure, after another program removed this one, or another nodens process stopped. */
const RETRY_MS = 10_000;

/** `InterfaceFollower` options. */
export interface FollowerOptions {
  interfaces: Interfaces;
  selection: Selection;
  /** Rules of `-redirect` are in place. */
  redirects: boolean;
  refusals: Refusals;
  /** Whether another nodens process serves here. */
  isBeside: () => boolean;
  onChange: () => void;
  clock: Clock;
}

interface Target {
  candidate: Candidate;
  /** Suitable since. */
  sinceMs: number;
  checkedMs: number | null;
  /** Programs of others; null if unknown. */
  foreign: readonly InterfaceProgram[] | null;
  attachment: Attachment | null;
  /** Being attached or detached. */
  busy: boolean;
  /** To another nodens process, which has replaced the program. */
  yields: boolean;
  retryMs: number;
}

/** Attaches the programs to interfaces that come, go, and get programs of others. */
export class InterfaceFollower {
  readonly #options: FollowerOptions;
  readonly #targets = new Map<number, Target>();
  #cancel: Cancel = () => {};
  #lookedMs: number | null = null;
  #changed = true;
  #reported = "";
  #besideMs: number | null = null;
  /** Reasons of what fails, by interface or step. */
  readonly #faults = new Map<number | "look", Reason>();

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Names of interfaces that are answered on. */
  get attached(): string[] {
    return [...this.#targets.values()].filter(({ attachment }) => attachment !== null)
      .map(({ candidate }) => candidate.name);
  }

  start(): void {
    this.#turn();
    this.#cancel = this.#options.clock.every(TURN_MS, () => this.#turn());
  }

  /** Removes all programs. */
  stop(): void {
    this.#cancel();
    for (const target of this.#targets.values()) detach(target);
    this.#targets.clear();
    this.#faults.clear();
    this.#report();
  }

  /** Never throws: an interface can go at any moment. */
  #turn(): void {
    const { interfaces, clock } = this.#options;
    const nowMs = clock.now();
    try {
      this.#changed = interfaces.changed() || this.#changed;
      const agoMs = this.#lookedMs === null ? Infinity : nowMs - this.#lookedMs;
      if (agoMs >= (this.#changed ? LOOK_MS.least : LOOK_MS.most)) {
        this.#look(nowMs);
        this.#succeed("look");
      }
      const due = this.#nextChecks(nowMs);
      const checked = due.filter((target) => this.#check(target, nowMs));
      if (due.length > 0 || this.#lookedMs === nowMs) this.#judge();
      for (const target of checked) this.#attach(target, nowMs);
    } catch (error) {
      this.#fail("look", error);
    }
    this.#report();
  }

  #fail(what: number | "look", error: unknown): void {
    const refusal = refusalOf("attach", error);
    this.#faults.set(what, refusal.reason);
    this.#options.refusals.set(refusal);
  }

  #succeed(what: number | "look"): void {
    const reason = this.#faults.get(what);
    if (reason === undefined) return;
    this.#faults.delete(what);
    if (![...this.#faults.values()].includes(reason)) this.#options.refusals.clear(reason);
  }

  #look(nowMs: number): void {
    const { interfaces, selection, redirects } = this.#options;
    const isFirst = this.#lookedMs === null;
    this.#lookedMs = nowMs;
    this.#changed = false;
    const choice = chooseInterfaces(
      interfaces.listLinks(),
      selection,
      interfaces.uplinks(),
      redirects && interfaces.bridgesPassNat(),
    );
    const wanted = new Map(choice.candidates.map((candidate) => [candidate.index, candidate]));
    for (const [index, target] of this.#targets) {
      if (wanted.get(index)?.way === target.candidate.way) continue;
      detach(target);
      this.#targets.delete(index);
      this.#succeed(index);
    }
    for (const [index, candidate] of wanted) {
      const known = this.#targets.get(index);
      if (known !== undefined) known.candidate = candidate;
      else {
        const sinceMs = isFirst ? nowMs - SETTLE_MS : nowMs;
        const unknown = {
          checkedMs: null,
          foreign: null,
          attachment: null,
          busy: false,
          yields: false,
        };
        this.#targets.set(index, { candidate, sinceMs, retryMs: nowMs, ...unknown });
      }
    }
    this.#reportChoice(choice);
  }

  #reportChoice({ unsuitable, excess }: ReturnType<typeof chooseInterfaces>): void {
    const { refusals } = this.#options;
    const texts = [...unsuitable].map(([name, why]) => `not on ${name}: ${why}`);
    if (excess > 0) texts.push(`not on ${excess} of more than ${MAX_INTERFACES} interfaces`);
    const remedy = "name others with -kernel-hits";
    if (texts.length === 0) refusals.clear("interface");
    else refusals.set(new Refusal("interface", texts.join("; "), remedy));
  }

  #nextChecks(nowMs: number): Target[] {
    return [...this.#targets.values()]
      .filter(({ sinceMs, checkedMs }) =>
        nowMs - sinceMs >= SETTLE_MS && (checkedMs === null || nowMs - checkedMs >= CHECK_MS)
      )
      .toSorted((a, b) => (a.checkedMs ?? -Infinity) - (b.checkedMs ?? -Infinity))
      .slice(0, CHECKS_PER_TURN);
  }

  /** Returns whether the programs are known. */
  #check(target: Target, nowMs: number): boolean {
    const { interfaces } = this.#options;
    const { own } = interfaces;
    const { index } = target.candidate;
    target.checkedMs = nowMs;
    target.foreign = null;
    let programs: readonly InterfaceProgram[];
    try {
      programs = interfaces.programsOn(index);
    } catch (error) {
      if (isGone(error)) this.#changed = true;
      else this.#fail(index, error);
      return false;
    }
    target.foreign = foreignPrograms(programs, own);
    const hasOther = programs.some(({ id, name }) => name === PROGRAM_NAME && !own.has(id));
    const { attachment } = target;
    if (attachment !== null) this.#succeed(index);
    if (attachment !== null && !programs.some(({ id }) => id === attachment.programId)) {
      detach(target);
      target.yields = hasOther;
      target.retryMs = nowMs + RETRY_MS;
    } else if (!hasOther) target.yields = false;
    return true;
  }

  /** Policies of a CNI hold for all pods, so one program of others ends it for all. */
  #judge(): void {
    const { refusals } = this.#options;
    const found = [...this.#targets.values()].flatMap(({ candidate, foreign }) =>
      (foreign ?? []).map((program) => ({ candidate, program }))
    );
    const ofPods = found.find(isOfPods);
    for (const target of this.#targets.values()) {
      if (isOfPods(target) ? ofPods !== undefined : isForeign(target)) detach(target);
    }
    const first = ofPods ?? found[0];
    const unreadable = found.every(({ program }) => isUnreadable(program));
    if (first === undefined || (unreadable && this.#isRollOver())) {
      return void refusals.clear("foreign");
    }
    const left = ofPods === undefined ? "lo is left out" : "no interface of pods is used";
    refusals.set(
      new Refusal(
        "foreign",
        `${first.candidate.name} has ${programText(first.program)}, so ${left}`,
        "see docs/kernel-path.md; -kernel-hits lo and -kernel-hits off end this warning",
      ),
    );
  }

  /** Names that cannot be read may be those of another nodens process, even if it just stopped. */
  #isRollOver(): boolean {
    const { isBeside, clock } = this.#options;
    const nowMs = clock.now();
    if (isBeside()) this.#besideMs = nowMs;
    return this.#besideMs !== null && nowMs - this.#besideMs < RETRY_MS;
  }

  #attach(target: Target, nowMs: number): void {
    const { candidate: { index, way }, attachment, busy, yields, retryMs } = target;
    if (attachment !== null || busy || yields || nowMs < retryMs) return;
    if (isOfPods(target) ? !this.#podsAreFree(nowMs) : !isFree(target.foreign)) return;
    target.busy = true;
    // The interface may go meanwhile.
    const isKnown = () => this.#targets.get(index) === target;
    this.#options.interfaces.attach(index, way).then((attachment) => {
      target.busy = false;
      target.attachment = attachment;
      this.#succeed(index);
      const isTaken = isOfPods(target)
        ? [...this.#targets.values()].some((one) => isOfPods(one) && isForeign(one))
        : isForeign(target);
      if (!isKnown() || isTaken) detach(target);
      this.#report();
    }, (error) => {
      target.busy = false;
      target.retryMs = nowMs + RETRY_MS;
      if (isGone(error)) this.#changed = true;
      else if (isKnown()) this.#fail(index, error);
    });
  }

  /** Whether each settled interface of pods is known to have no program of others. */
  #podsAreFree(nowMs: number): boolean {
    return [...this.#targets.values()].filter(isOfPods).every(({ sinceMs, foreign }) =>
      nowMs - sinceMs < SETTLE_MS || isFree(foreign)
    );
  }

  #report(): void {
    const attached = this.attached.join("/");
    if (attached === this.#reported) return;
    this.#reported = attached;
    this.#options.onChange();
  }
}

function isOfPods({ candidate }: Pick<Target, "candidate">): boolean {
  return candidate.way !== "local";
}

function isForeign({ foreign }: Pick<Target, "foreign">): boolean {
  return foreign !== null && foreign.length > 0;
}

function isFree(foreign: Target["foreign"]): boolean {
  return foreign !== null && foreign.length === 0;
}

function detach(target: Target): void {
  const { attachment } = target;
  if (attachment === null) return;
  target.attachment = null;
  target.busy = true;
  void attachment.remove().then(() => target.busy = false);
}

function isGone(error: unknown): boolean {
  return (error as { errno?: number }).errno === ERRNO.NODEV;
}

import { type Clock, systemClock } from "../base/clock.ts";
import type { SelfChecks } from "../control/plane/self_checks.ts";
import { FamilyRules, type FamilyState, type RuleReports } from "./family_rules.ts";
import { type Beat, Heartbeat } from "./heartbeat.ts";
import { containersLeftOut, redirectFamilies } from "./redirect/redirect.ts";
import { isSteering, ruleBeats, ruleFamilies, type RuleRequest, ruleSet } from "./rule_plan.ts";
import { type RunCommand, runCommand } from "./rules/command.ts";
import { pause } from "./rules/rule_trial.ts";
import type { Family } from "./rules/rule_text.ts";
import { type FailOpenLevel, OWN_MARK } from "./rules/rules.ts";

/** Options of `NodeRules`. */
export interface NodeRulesOptions extends RuleRequest, RuleReports {
  readonly run: RunCommand;
  readonly heartbeat: Heartbeat;
  readonly onLevel?: (family: Family, level: FailOpenLevel) => void;
  /** Called after each check. */
  readonly onRules?: (state: FamilyState) => void;
  readonly clock?: Clock;
}

const RETRY_MS = 5000;
/** At most 40 seconds: `-syncinterval` (60 s) triggers a check anyway. */
const MAX_DOUBLINGS = 3;
/** Consecutive failures before the condition is dropped, and their interval. */
const FAULTY_BEATS = 3;
const BEAT_PAUSE_MS = 500;

/** Creates this machine's rules and heartbeat. */
export function linuxNodeRules(
  checks: SelfChecks,
  options: Omit<NodeRulesOptions, "run" | "heartbeat">,
): NodeRules {
  const heartbeat = new Heartbeat((beats, { handedOver }) =>
    checks.keepEntries(
      beats.map(({ target, ...more }) => ({ ...more, target: { ...target, mark: OWN_MARK } })),
      { leave: handedOver },
    )
  );
  const rules = new NodeRules({ ...options, run: runCommand, heartbeat });
  checks.onUnwritable = () => rules.ensureSoon();
  return rules;
}

/** Maintains a node's rules and reports obstacles. Errors are retried, counted, logged when new. */
export class NodeRules {
  readonly #options: NodeRulesOptions;
  readonly #clock: Clock;
  readonly #families: readonly FamilyRules[];
  readonly #abort = new AbortController();
  #running: Promise<FamilyState[]> | null = null;
  #cancelRetry: (() => void) | null = null;
  #failures = 0;

  constructor(options: NodeRulesOptions) {
    this.#options = options;
    const { log, redirect, run, count, clock = systemClock } = options;
    this.#clock = clock;
    const leftOut = redirect === null ? null : containersLeftOut(redirect);
    if (leftOut !== null) log("warning", `iptables: ${leftOut}`);
    this.#families = ruleFamilies(options).map((family) =>
      new FamilyRules({
        family,
        best: ruleBeats(family, options).length > 0 ? "socket" : "none",
        rulesAt: (level) => ruleSet(family, level, options),
        tryHeartbeat: () => this.#tryHeartbeat(family),
        ...{ run, clock, log, count },
      })
    );
  }

  /** Corrects the rules or joins a call. Never rejects. */
  ensure(): Promise<FamilyState[]> {
    if (this.#stopped) return Promise.resolve([]);
    return this.#running ??= this.#ensureAll().finally(() => this.#running = null);
  }

  ensureSoon(): void {
    if (this.#stopped || this.#cancelRetry !== null) return;
    const doublings = Math.min(Math.max(this.#failures - 1, 0), MAX_DOUBLINGS);
    this.#cancelRetry = this.#clock.after(RETRY_MS * 2 ** doublings, () => {
      this.#cancelRetry = null;
      void this.ensure();
    });
  }

  /** Stops heartbeat and commands; rules stay (`-skipteardown`), with `handedOver` entries too. */
  async stop(options: { handedOver?: boolean } = {}): Promise<void> {
    this.#abort.abort();
    this.#cancelRetry?.();
    this.#options.heartbeat.stop(options);
    await this.#running;
    // A check may have restarted it.
    this.#options.heartbeat.stop(options);
  }

  /**
   * Diverts new queries while received ones are answered; `remove` follows. Never rejects. Without
   * a heartbeat, only rules that lead to nodens are removed: without the others, answers would be
   * tracked, and later queries from the same port not translated.
   */
  async turnAway(limitMs: number): Promise<void> {
    await this.stop();
    const { redirect } = this.#options;
    const plain = redirect === null || redirect.failOpen ? [] : redirectFamilies(redirect);
    const families = this.#families.filter(({ family, level, hasRules }) =>
      hasRules && (level === "none" || plain.includes(family))
    );
    await this.#withinLimit(
      limitMs,
      (signal) =>
        Promise.all(
          families.map((family) =>
            family.keepOnly((rule) => !isSteering(rule, this.#options), signal)
          ),
        ),
    );
  }

  /** Removes all rules; returns success. Never rejects. */
  async remove(limitMs: number): Promise<boolean> {
    await this.stop();
    const gone = await this.#withinLimit(
      limitMs,
      (signal) => Promise.all(this.#families.map((family) => family.remove(signal))),
    );
    return gone.every((one) => one);
  }

  get #stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #ensureAll(): Promise<FamilyState[]> {
    const { signal } = this.#abort;
    const { heartbeat } = this.#options;
    const states: FamilyState[] = [];
    for (const family of this.#families) {
      if (!this.#stopped) states.push(await family.ensure(signal));
    }
    if (this.#stopped) return states;
    await heartbeat.set(this.#beats());
    // A failing heartbeat would divert queries forever.
    for (const [i, family] of this.#families.entries()) {
      if (family.level === "none" || family.problem !== null) continue;
      if (this.#heartbeatFault(family.family) === null) continue;
      states[i] = await family.ensure(signal);
      const fault = await this.#lastingFault(family.family);
      if (fault === null || family.problem !== null || this.#stopped) continue;
      states[i] = await family.doWithoutHeartbeat(fault, signal);
      void heartbeat.set(this.#beats());
    }
    if (!this.#stopped) this.#report(states);
    return states;
  }

  async #lastingFault(family: Family): Promise<string | null> {
    for (let beat = 1;; beat++) {
      await this.#options.heartbeat.beat();
      const fault = this.#heartbeatFault(family);
      if (fault === null || beat === FAULTY_BEATS || this.#stopped) return fault;
      await pause(this.#clock, BEAT_PAUSE_MS, this.#abort.signal);
    }
  }

  #report(states: readonly FamilyState[]): void {
    const { onLevel, onRules } = this.#options;
    for (const state of states) {
      const { family, level, problem } = state;
      onRules?.(state);
      if (problem === null && ruleBeats(family, this.#options).length > 0) onLevel?.(family, level);
    }
    if (states.some(({ problem, mayPass }) => problem !== null && mayPass)) {
      this.#failures++;
      this.ensureSoon();
    } else {
      this.#failures = 0;
    }
  }

  #heartbeatFault(family: Family): string | null {
    const faults = ruleBeats(family, this.#options)
      .map(({ list }) => this.#options.heartbeat.faultOf(list));
    return faults.find((fault) => fault !== null) ?? null;
  }

  async #tryHeartbeat(family: Family): Promise<string | null> {
    const { heartbeat } = this.#options;
    await heartbeat.set(this.#beats(family));
    const fault = this.#heartbeatFault(family);
    if (fault !== null) void heartbeat.set(this.#beats());
    return fault;
  }

  /** Required heartbeats, plus all of the family `also`. */
  #beats(also: Family | null = null): Beat[] {
    return this.#families.flatMap(({ family, level }) =>
      level === "none" && family !== also ? [] : ruleBeats(family, this.#options)
    );
  }

  async #withinLimit<T>(
    limitMs: number,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const abort = new AbortController();
    const cancel = this.#clock.after(limitMs, () => abort.abort());
    try {
      return await work(abort.signal);
    } finally {
      cancel();
    }
  }
}

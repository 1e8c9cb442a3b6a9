import { type Clock, pause, systemClock } from "../base/clock.ts";
import type { ListEntry, SelfChecks } from "../control/plane/self_checks.ts";
import { FamilyRules, type RuleReports } from "./family_rules.ts";
import { Heartbeat } from "./heartbeat.ts";
import { containersLeftOut, redirectFamilies } from "./rules/redirect.ts";
import { isSteering, ruleEntries, ruleFamilies, type RuleRequest, ruleSet } from "./rule_plan.ts";
import { type RunCommand, runCommand } from "./rules/command.ts";
import type { Family, Rule } from "./rules/rule_text.ts";
import type { FailOpenLevel } from "./rules/facts.ts";

/** `NodeRules` options. */
export interface NodeRulesOptions extends RuleRequest, RuleReports {
  readonly run: RunCommand;
  readonly heartbeat: Heartbeat;
  readonly onLevel?: (family: Family, level: FailOpenLevel) => void;
  readonly onRules?: (family: Pick<FamilyRules, "family" | "problem">) => void;
  readonly clock?: Clock;
}

const RETRY_MS = 5000;
/** At most 40 seconds: `-syncinterval` (60 s) triggers a check anyway. */
const MAX_DOUBLINGS = 3;
/** Consecutive failures before the condition is dropped, and their interval. */
const FAULTY_BEATS = 3;
const BEAT_PAUSE_MS = 500;

/** This machine's rules and heartbeat. */
export function linuxNodeRules(
  checks: SelfChecks,
  options: Omit<NodeRulesOptions, "run" | "heartbeat">,
): NodeRules {
  const rules = new NodeRules({ ...options, run: runCommand, heartbeat: new Heartbeat(checks) });
  checks.onUnwritable = () => rules.ensureSoon();
  return rules;
}

/** Maintains a node's rules and reports obstacles. */
export class NodeRules {
  readonly #options: NodeRulesOptions;
  readonly #clock: Clock;
  readonly #families: readonly FamilyRules[];
  readonly #abort = new AbortController();
  #running: Promise<readonly FamilyRules[]> | null = null;
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
        best: ruleEntries(family, options).length > 0 ? "socket" : "none",
        rulesAt: (level) => ruleSet(family, level, options),
        tryHeartbeat: () => this.#tryHeartbeat(family),
        ...{ run, clock, log, count },
      })
    );
  }

  /** Corrects rules or joins a call. Never rejects. */
  ensure(): Promise<readonly FamilyRules[]> {
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
    using limit = this.#limit(limitMs);
    const isKept = (rule: Rule) => !isSteering(rule, this.#options);
    await Promise.all(families.map((family) => family.keepOnly(isKept, limit.signal)));
  }

  /** Removes all rules; returns success. Never rejects. */
  async remove(limitMs: number): Promise<boolean> {
    await this.stop();
    using limit = this.#limit(limitMs);
    const gone = await Promise.all(this.#families.map((family) => family.remove(limit.signal)));
    return gone.every((one) => one);
  }

  get #stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #ensureAll(): Promise<readonly FamilyRules[]> {
    const { signal } = this.#abort;
    const { heartbeat } = this.#options;
    for (const family of this.#families) if (!this.#stopped) await family.ensure(signal);
    if (this.#stopped) return this.#families;
    await heartbeat.set(this.#entries());
    // A failing heartbeat would divert queries forever.
    for (const family of this.#families) {
      if (family.level === "none" || family.problem !== null) continue;
      if (this.#heartbeatFault(family.family) === null) continue;
      await family.ensure(signal);
      const fault = await this.#lastingFault(family.family);
      if (fault === null || family.problem !== null || this.#stopped) continue;
      await family.doWithoutHeartbeat(fault, signal);
      void heartbeat.set(this.#entries());
    }
    if (!this.#stopped) this.#report();
    return this.#families;
  }

  async #lastingFault(family: Family): Promise<string | null> {
    for (let beat = 1;; beat++) {
      await this.#options.heartbeat.beat();
      const fault = this.#heartbeatFault(family);
      if (fault === null || beat === FAULTY_BEATS || this.#stopped) return fault;
      await pause(this.#clock, BEAT_PAUSE_MS, this.#abort.signal);
    }
  }

  #report(): void {
    const { onLevel, onRules } = this.#options;
    for (const state of this.#families) {
      const { family, level, problem } = state;
      onRules?.(state);
      if (problem === null && ruleEntries(family, this.#options).length > 0) {
        onLevel?.(family, level);
      }
    }
    if (this.#families.some(({ problem, mayPass }) => problem !== null && mayPass)) {
      this.#failures++;
      this.ensureSoon();
    } else {
      this.#failures = 0;
    }
  }

  #heartbeatFault(family: Family): string | null {
    const faults = ruleEntries(family, this.#options)
      .map(({ list }) => this.#options.heartbeat.faultOf(list));
    return faults.find((fault) => fault !== null) ?? null;
  }

  async #tryHeartbeat(family: Family): Promise<string | null> {
    const { heartbeat } = this.#options;
    await heartbeat.set(this.#entries(family));
    const fault = this.#heartbeatFault(family);
    if (fault !== null) void heartbeat.set(this.#entries());
    return fault;
  }

  /** Required entries, plus all of the family `also`. */
  #entries(also: Family | null = null): ListEntry[] {
    return this.#families.flatMap(({ family, level }) =>
      level === "none" && family !== also ? [] : ruleEntries(family, this.#options)
    );
  }

  #limit(ms: number): Disposable & { signal: AbortSignal } {
    const abort = new AbortController();
    return { signal: abort.signal, [Symbol.dispose]: this.#clock.after(ms, () => abort.abort()) };
  }
}

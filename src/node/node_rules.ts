import type { LogLevel } from "../engine/handler.ts";
import type { RunCommand } from "./rules/command.ts";
import { FamilyRules, type FamilyState, type RuleErrorType } from "./family_rules.ts";
import type { Beat, Heartbeat } from "./heartbeat.ts";
import { pause as wait } from "./rules/pause.ts";
import {
  containersLeftOut,
  REDIRECT_COMMENT,
  REDIRECT_ENTRY,
  REDIRECT_LIST,
  redirectChains,
  redirectFamilies,
  type RedirectOptions,
  redirectRules,
} from "./redirect/redirect.ts";
import { commentOf, type Family, type Rule } from "./rules/rule_text.ts";
import {
  failOpenAddresses,
  type FailOpenLevel,
  familyOf,
  HEARTBEAT_LIST,
  leadsHere,
  leftOverRules,
  nodeRules,
  type RuleOptions,
} from "./rules/rules.ts";
import type { RuleSet } from "./rules/transaction.ts";

export type { FamilyState, RuleErrorType } from "./family_rules.ts";

/** What keeps a node's rules needs. */
export interface NodeRulesOptions {
  rules: RuleOptions;
  /** Rules ask for a heartbeat, where the kernel has what that takes (`-failopen`). */
  failOpen: boolean;
  /** Queries to other servers come here too (`-redirect`); null for none. */
  redirect: RedirectOptions | null;
  run: RunCommand;
  heartbeat: Heartbeat;
  log: (level: LogLevel, line: string) => void;
  /** Counts an error by its label. */
  count: (type: RuleErrorType) => void;
  /** Told the level of a family after each look that found fail-open asked for. */
  onLevel?: (family: Family, level: FailOpenLevel) => void;
  /** Pause before the first look that is not due yet. Default: 5 seconds. */
  retryMs?: number;
  /** Waits between attempts; default: as long as it says. */
  pause?: typeof wait;
}

/** Pause before another look when something has been found wrong; it doubles each time. */
const RETRY_MS = 5000;
/** Doublings at most: 40 seconds, since the look at each `-syncinterval` (60 s) comes anyway. */
const MAX_DOUBLINGS = 3;
/** Heartbeats in a row that must fail before the rules do without, and the pause between them. */
const FAULTY_BEATS = 3;
const BEAT_PAUSE_MS = 500;
/** Time for turning queries away at stop, and for removing the rules. */
const TURN_AWAY_MS = 2000;
const REMOVE_MS = 6000;

/**
 * Keeps the iptables rules of a node as they should be: puts in what is missing, takes out what is
 * doubled or left over, and says what stands in the way. Nothing here ends the process: an error is
 * logged when it is new, counted each time, and tried again.
 */
export class NodeRules {
  readonly #options: NodeRulesOptions;
  readonly #families: readonly FamilyRules[];
  readonly #abort = new AbortController();
  #running: Promise<FamilyState[]> | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  /** Looks in a row that found something wrong that may pass. */
  #failures = 0;
  #stopped = false;

  constructor(options: NodeRulesOptions) {
    this.#options = options;
    const { log, redirect, run, count, rules, pause = wait } = options;
    const leftOut = redirect === null ? null : containersLeftOut(redirect);
    if (leftOut !== null) log("warning", `iptables: ${leftOut}`);
    const redirected = redirect === null ? [] : redirectFamilies(redirect);
    const families = ([4, 6] as const).filter((family) =>
      redirected.includes(family) || rules.addresses.some((one) => familyOf(one) === family)
    );
    this.#families = families.map((family): FamilyRules =>
      new FamilyRules({
        family,
        best: this.#lists(family).length > 0 ? "socket" : "none",
        rulesAt: (level) => this.#set(family, level),
        tryHeartbeat: () => this.#tryHeartbeat(family),
        ...{ run, pause, log, count },
      })
    );
  }

  /** Makes the rules what they should be. Never rejects; a call during another one joins it. */
  ensure(): Promise<FamilyState[]> {
    if (this.#stopped) return Promise.resolve([]);
    return this.#running ??= this.#ensureAll().finally(() => this.#running = null);
  }

  /** Calls `ensure` in a few seconds, once: something has been found wrong, or could not be done. */
  ensureSoon(): void {
    if (this.#stopped || this.#retry !== null) return;
    const { retryMs = RETRY_MS } = this.#options;
    const doublings = Math.min(Math.max(this.#failures - 1, 0), MAX_DOUBLINGS);
    this.#retry = setTimeout(() => {
      this.#retry = null;
      void this.ensure();
    }, retryMs * 2 ** doublings);
  }

  /**
   * Lets the heartbeat go and leaves the rules where they are (`-skipteardown`). Commands that run
   * are killed.
   *
   * @param options - `handedOver`: another nodens has the same rules and its own heartbeat, so that
   * nothing must change at all
   */
  async stop(options: { handedOver?: boolean } = {}): Promise<void> {
    this.#stopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#options.heartbeat.stop(options);
    this.#abort.abort();
    await this.#running;
    // A look that was under way may have set it going again.
    this.#options.heartbeat.stop(options);
  }

  /**
   * Has queries go elsewhere from now on, while what has come is answered; `remove` comes after that.
   *
   * Without a heartbeat to let go of, the rules that lead here are taken out. Those about answers
   * must stay: an answer that is tracked makes a connection of its own, and whatever its client asks
   * from the same port later would be taken for a part of it, and not be translated. Never rejects.
   *
   * @param limitMs - commands that run longer are killed
   */
  async turnAway(limitMs: number = TURN_AWAY_MS): Promise<void> {
    await this.stop();
    const { rules, redirect } = this.#options;
    const isSteering = (rule: Rule) =>
      leadsHere(rule, rules) || commentOf(rule.args) === REDIRECT_COMMENT;
    const isPlain = ({ family, level, hasRules }: FamilyRules) => {
      const plain = redirect !== null && !redirect.failOpen;
      return hasRules &&
        (level === "none" || (plain && redirectFamilies(redirect).includes(family)));
    };
    await withinLimit(limitMs, async (signal) => {
      await Promise.all(
        this.#families.filter(isPlain)
          .map((family) => family.keepOnly((rule) => !isSteering(rule), signal)),
      );
    });
  }

  /**
   * Lets the heartbeat go and takes all rules out. Never rejects; whether none is left.
   *
   * @param limitMs - it is tried for so long
   */
  async remove(limitMs: number = REMOVE_MS): Promise<boolean> {
    await this.stop();
    const gone = await withinLimit(
      limitMs,
      (signal) => Promise.all(this.#families.map((family) => family.remove(signal))),
    );
    return gone.every((one) => one);
  }

  async #ensureAll(): Promise<FamilyState[]> {
    const { signal } = this.#abort;
    const { heartbeat } = this.#options;
    const states: FamilyState[] = [];
    for (const family of this.#families) {
      if (!this.#stopped) states.push(await family.ensure(signal));
    }
    if (this.#stopped) return states;
    heartbeat.set(this.#beats());
    await heartbeat.beat();
    // Rules that wait for a heartbeat that cannot be given would keep nodens out for good.
    for (const [i, family] of this.#families.entries()) {
      if (family.level === "none" || family.problem !== null) continue;
      if (this.#heartbeatFault(family.family) === null) continue;
      // Unless somebody has just taken the rules out, and the list with them.
      states[i] = await family.ensure(signal);
      const fault = await this.#lastingFault(family.family);
      if (fault === null || family.problem !== null || this.#stopped) continue;
      states[i] = await family.doWithoutHeartbeat(fault, signal);
      heartbeat.set(this.#beats());
    }
    if (!this.#stopped) this.#tell(states);
    return states;
  }

  /** Why the heartbeat of a family cannot be given, several times in a row; else null. */
  async #lastingFault(family: Family): Promise<string | null> {
    const { heartbeat, pause = wait } = this.#options;
    for (let beat = 1;; beat++) {
      await heartbeat.beat();
      const fault = this.#heartbeatFault(family);
      if (fault === null || beat === FAULTY_BEATS || this.#stopped) return fault;
      await pause(BEAT_PAUSE_MS, this.#abort.signal);
    }
  }

  /** Tells what was found, and looks again soon where that may help. */
  #tell(states: readonly FamilyState[]): void {
    const { onLevel } = this.#options;
    for (const { family, level, problem } of states) {
      if (problem === null && this.#lists(family).length > 0) onLevel?.(family, level);
    }
    if (states.some(({ problem, mayPass }) => problem !== null && mayPass)) {
      this.#failures++;
      this.ensureSoon();
    } else {
      this.#failures = 0;
    }
  }

  #set(family: Family, level: FailOpenLevel): RuleSet {
    const { rules, redirect } = this.#options;
    const wanted = nodeRules(family, level, rules);
    const owned = leftOverRules(family, rules);
    if (redirect === null) return { wanted, owned, comments: [] };
    const failOpen = redirect.failOpen && level !== "none";
    return {
      wanted: [...wanted, ...redirectRules(family, { ...redirect, failOpen })],
      owned: [...owned, ...redirectChains()],
      comments: [REDIRECT_COMMENT],
    };
  }

  /** The lists that the rules of a family ask at best. */
  #lists(family: Family): string[] {
    const { failOpen, rules, redirect } = this.#options;
    if (!failOpen) return [];
    const lists: string[] = [];
    if (failOpenAddresses(family, rules).length > 0) lists.push(HEARTBEAT_LIST[family]);
    if (redirect?.failOpen && redirectFamilies(redirect).includes(family)) {
      lists.push(REDIRECT_LIST[family]);
    }
    return lists;
  }

  #heartbeatFault(family: Family): string | null {
    const { heartbeat } = this.#options;
    const faults = this.#lists(family).map((list) => heartbeat.faultOf(list));
    return faults.find((fault) => fault !== null) ?? null;
  }

  /** Has the heartbeat given for a family too whose rules do not ask for it; null, or the fault. */
  async #tryHeartbeat(family: Family): Promise<string | null> {
    const { heartbeat } = this.#options;
    heartbeat.set(this.#beats(family));
    await heartbeat.beat();
    const fault = this.#heartbeatFault(family);
    if (fault !== null) heartbeat.set(this.#beats());
    return fault;
  }

  /** What is to be kept alive; `also` for a family whose rules do not ask for it yet. */
  #beats(also: Family | null = null): Beat[] {
    const { rules, redirect } = this.#options;
    return this.#families.flatMap(({ family, level }) => {
      if (level === "none" && family !== also) return [];
      const beats = failOpenAddresses(family, rules).map((address) => ({
        list: HEARTBEAT_LIST[family],
        entry: address,
        target: { address, port: rules.port },
      }));
      if (!redirect?.failOpen) return beats;
      return [...beats, ...redirectBeats(family, redirect)];
    });
  }
}

/** What keeps a redirect of one family going. */
export function redirectBeats(family: Family, { to, port }: RedirectOptions): Beat[] {
  if (to[family] === undefined) return [];
  const address = to[family] ?? (family === 4 ? "127.0.0.1" : "::1");
  const target = { address, port };
  return [{ list: REDIRECT_LIST[family], entry: REDIRECT_ENTRY[family], target }];
}

/** Does work that is to end soon after a time, at its signal. */
async function withinLimit<T>(
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), limitMs);
  try {
    return await work(abort.signal);
  } finally {
    clearTimeout(timer);
  }
}

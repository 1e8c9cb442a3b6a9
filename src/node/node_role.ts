import { type Clock, systemClock } from "../base/clock.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { NodeInterface } from "./interface/interface.ts";
import type { NodeRules } from "./node_rules.ts";
import type { SetupError } from "./setup_error.ts";

const PROBE_PAUSE_MS = 200;
const SILENT_MS = 5000;
/** Limit for all steps at stop; kubelet allows thirty seconds. */
const STOP_MS = 9000;
/** For diverting queries; minimum for removing rules. */
const TURN_AWAY_MS = 2000;
const LEAST_REMOVE_MS = 2000;
const IN_FLIGHT_MS = 500;

type KeptInterface = Pick<
  NodeInterface,
  "ensure" | "watch" | "yieldSource" | "reclaimSource" | "remove" | "close"
>;
type KeptRules = Pick<NodeRules, "ensure" | "stop" | "turnAway" | "remove">;

/** `NodeRole` options. */
export interface NodeRoleOptions {
  makeInterface: (() => KeptInterface) | null;
  makeRules: (() => KeptRules) | null;
  answers: () => Promise<boolean>;
  syncIntervalMs: number;
  skipTeardown: boolean;
  log: (level: LogLevel, line: string) => void;
  count: (error: SetupError) => void;
  checkHost?: () => void;
  clock?: Clock;
}

/** Sets up the host: the interface before the sockets, the rules after the first answer. */
export class NodeRole {
  readonly #options: NodeRoleOptions;
  readonly #clock: Clock;
  #interface: KeptInterface | null = null;
  #found = false;
  #rules: KeptRules | null = null;
  #cancelSync: (() => void) | null = null;
  #freeMs = -Infinity;
  #abort = new AbortController();
  #stoppingMs: number | null = null;

  constructor(options: NodeRoleOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  prepare(): void {
    const { makeInterface, count } = this.#options;
    if (makeInterface === null) return;
    this.#interface = makeInterface();
    try {
      const { adopted, changes } = this.#interface.ensure();
      this.#found = adopted || changes.length === 0;
    } catch (error) {
      this.#found = true;
      count("interface_add");
      throw error;
    }
    this.#interface.watch(() => this.#checkInterface());
  }

  /** Installs rules after the first answer; maintains rules and interface. */
  engage(): void {
    const { syncIntervalMs, checkHost } = this.#options;
    this.#cancelSync = this.#clock.every(syncIntervalMs, () => {
      this.#checkInterface();
      void this.#rules?.ensure();
      checkHost?.();
    });
    checkHost?.();
    void this.#installRules(this.#abort.signal);
  }

  /** After a failed start: removes the interface unless it existed before or is `shared`. */
  async abandon({ shared = false } = {}): Promise<void> {
    if (this.#found || shared) await this.leave();
    else await this.release();
  }

  /** Another process takes over: rules, entries and interface stay. */
  async leave(): Promise<void> {
    this.#end();
    await this.#rules?.stop({ handedOver: true });
    this.#rules = null;
    this.#interface?.reclaimSource();
    this.#interface?.close();
    this.#interface = null;
  }

  /** Begins a stop: queries go elsewhere, those in flight are still answered. */
  async turnAway(): Promise<void> {
    this.#end();
    this.#stoppingMs ??= this.#clock.now();
    if (this.#options.skipTeardown) return await this.#rules?.stop();
    await this.#rules?.turnAway(TURN_AWAY_MS);
    if (this.#interface?.yieldSource()) this.#freeMs = this.#clock.now() + IN_FLIGHT_MS;
  }

  /** Ends a stop, once nothing is served: removes rules and interface. */
  async release(): Promise<void> {
    this.#end();
    const { skipTeardown, log } = this.#options;
    const spentMs = this.#stoppingMs === null ? 0 : this.#clock.now() - this.#stoppingMs;
    if (!skipTeardown) await this.#rules?.remove(Math.max(STOP_MS - spentMs, LEAST_REMOVE_MS));
    this.#rules = null;
    const kept = this.#interface;
    this.#interface = null;
    if (kept === null) return;
    const waitMs = this.#freeMs - this.#clock.now();
    if (waitMs > 0) await this.#clock.sleep(waitMs);
    try {
      if (!skipTeardown) kept.remove();
    } catch (error) {
      log("error", (error as Error).message);
    }
    kept.close();
  }

  #end(): void {
    this.#abort.abort();
    this.#cancelSync?.();
    this.#cancelSync = null;
  }

  async #installRules(signal: AbortSignal): Promise<void> {
    const { makeRules, answers, log } = this.#options;
    if (makeRules === null) return;
    const startMs = this.#clock.now();
    let reported = false;
    while (!await answers()) {
      if (signal.aborted) return;
      if (!reported && this.#clock.now() - startMs > SILENT_MS) {
        log("warning", "iptables: no rules yet: none of the local addresses answers queries");
        reported = true;
      }
      await this.#clock.sleep(PROBE_PAUSE_MS);
    }
    if (signal.aborted) return;
    this.#rules = makeRules();
    await this.#rules.ensure();
  }

  #checkInterface(): void {
    try {
      this.#interface?.ensure();
    } catch (error) {
      this.#options.count("interface_check");
      this.#options.log("error", (error as Error).message);
    }
  }
}

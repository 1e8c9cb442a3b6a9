import type { LogLevel } from "../engine/handler.ts";
import type { NodeInterface } from "./interface/interface.ts";
import type { NodeRules } from "./node_rules.ts";

/** Labels of node-cache's set-up errors. */
export const SETUP_ERRORS = [
  "iptables",
  "iptables_lock",
  "interface_add",
  "interface_check",
  "configmap",
] as const;

/** Label of a set-up error. */
export type SetupError = typeof SETUP_ERRORS[number];

/** Pause before the listeners are asked again whether they answer. */
const ASK_AGAIN_MS = 200;
/** After so long without an answer that is said. */
const SILENT_MS = 5000;
/**
 * Time for all that is done at stop. Of the thirty seconds that kubelet gives a pod, an iptables that
 * hangs must leave enough for what else there is.
 */
const STOP_MS = 9000;
/** Time for turning queries away, and for removing the rules even if all else took long. */
const TURN_AWAY_MS = 2000;
const LEAST_REMOVE_MS = 2000;

/** Time for answers to queries that the host has sent from addresses that are going to be removed. */
const IN_FLIGHT_MS = 500;

/** What is asked of that which keeps the interface. */
export type KeptInterface = Pick<
  NodeInterface,
  "ensure" | "watch" | "yieldSource" | "reclaimSource" | "remove" | "close"
>;
/** What is asked of that which keeps the rules. */
export type KeptRules = Pick<NodeRules, "ensure" | "stop" | "turnAway" | "remove">;

/** What the node role is made of. */
export interface NodeRoleOptions {
  /** Makes what keeps the interface; null if there is to be none. */
  makeInterface: (() => KeptInterface) | null;
  /** Makes what keeps the rules; null if there are to be none. */
  makeRules: (() => KeptRules) | null;
  /** Asks the listeners whether one of them answers. */
  answers: () => Promise<boolean>;
  syncIntervalMs: number;
  /** Interface and rules stay at the end. */
  skipTeardown: boolean;
  log: (level: LogLevel, line: string) => void;
  count: (error: SetupError) => void;
  /** Looks at what is not nodens's own but keeps it from its work; called with each other look. */
  lookAround?: () => void;
}

/**
 * What nodens does to the host, in order: the interface first, because sockets need its addresses;
 * the rules last, once a query has been answered; and both ways round at the end.
 *
 * Where another process serves at the same addresses, everything stays in place for it (`leave`).
 */
export class NodeRole {
  readonly #options: NodeRoleOptions;
  #interface: KeptInterface | null = null;
  /** The interface was there before this nodens. */
  #found = false;
  #rules: KeptRules | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  /** When the interface may be removed, by `performance.now`. */
  #freeMs = -Infinity;
  /** Counts up whenever what was begun is to end. */
  #turn = 0;
  /** When stopping began. */
  #stoppingMs: number | null = null;

  constructor(options: NodeRoleOptions) {
    this.#options = options;
  }

  /** Makes the interface. Throws an error that says what is in the way. */
  prepare(): void {
    const { makeInterface, count } = this.#options;
    if (makeInterface === null) return;
    this.#interface = makeInterface();
    try {
      const { adopted, changes } = this.#interface.ensure();
      // On lo there is nothing to adopt, but addresses may all be there.
      this.#found = adopted || changes.length === 0;
    } catch (error) {
      // The obstacle is not ours to remove, and everything else has been undone.
      this.#found = true;
      count("interface_add");
      throw error;
    }
    this.#interface.watch(() => this.#checkInterface());
  }

  /** Puts the rules in once a query is answered, and keeps everything from then on. */
  engage(): void {
    const turn = ++this.#turn;
    const { makeRules, syncIntervalMs } = this.#options;
    this.#timer = setInterval(() => this.#sync(), syncIntervalMs);
    this.#options.lookAround?.();
    if (makeRules !== null) void this.#engageRules(turn, makeRules);
  }

  /**
   * The start has failed: takes the interface away again if it was made for that. One that was there
   * may be that of a process that serves.
   *
   * @param options - `shared`: another process serves at the same addresses
   */
  async abandon({ shared = false } = {}): Promise<void> {
    if (this.#found || shared) await this.leave();
    else await this.release();
  }

  /** Leaves interface, rules and heartbeat to another process, which has them already. */
  async leave(): Promise<void> {
    this.#end();
    await this.#rules?.stop({ handedOver: true });
    this.#rules = null;
    this.#interface?.reclaimSource();
    this.#interface?.close();
    this.#interface = null;
  }

  /** The first step of stopping: queries go elsewhere from now on. */
  async turnAway(): Promise<void> {
    this.#end();
    this.#stoppingMs ??= performance.now();
    if (this.#options.skipTeardown) await this.#rules?.stop();
    else {
      await this.#rules?.turnAway(TURN_AWAY_MS);
      if (this.#interface?.yieldSource()) this.#freeMs = performance.now() + IN_FLIGHT_MS;
    }
  }

  /** The last step of stopping, when all is answered: takes rules and interface away. */
  async release(): Promise<void> {
    this.#end();
    const goneMs = this.#stoppingMs === null ? 0 : performance.now() - this.#stoppingMs;
    const limitMs = Math.max(STOP_MS - goneMs, LEAST_REMOVE_MS);
    if (!this.#options.skipTeardown) await this.#rules?.remove(limitMs);
    this.#rules = null;
    const kept = this.#interface;
    this.#interface = null;
    if (kept === null) return;
    const waitMs = this.#freeMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    try {
      if (!this.#options.skipTeardown) kept.remove();
    } catch (error) {
      this.#options.log("error", (error as Error).message);
    }
    kept.close();
  }

  #end(): void {
    this.#turn++;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #engageRules(turn: number, makeRules: () => KeptRules): Promise<void> {
    const { answers, log } = this.#options;
    const startMs = performance.now();
    let told = false;
    while (!await answers()) {
      if (this.#turn !== turn) return;
      if (!told && performance.now() - startMs > SILENT_MS) {
        log("warning", "iptables: no rules yet: none of the local addresses answers queries");
        told = true;
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
    if (this.#turn !== turn) return;
    this.#rules = makeRules();
    await this.#rules.ensure();
  }

  #sync(): void {
    this.#checkInterface();
    void this.#rules?.ensure();
    this.#options.lookAround?.();
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

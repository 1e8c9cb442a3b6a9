import type { EngineServices, LogLevel } from "../../engine/handler.ts";

/** A server that flaps does not fill the log. */
const PAUSE_MS = 60_000;
/** Blocks may have thousands. */
const MAX_ZONES = 3;

interface OutageGroup {
  readonly engine: Pick<EngineServices, "nowMs" | "log" | "logsFields">;
  readonly zones: readonly string[];
}

/** Counts the queries that a failing server costs; logs its outages, unless it cost none. */
export class Outage {
  readonly #label: string;
  readonly #group: OutageGroup;
  /** First loss since the last line, or -1. */
  #sinceMs = -1;
  #failedOver = 0;
  #failed = 0;
  #downs = 0;
  #down = false;
  #logged = false;
  #loggedMs = -Infinity;

  constructor(label: string, group: OutageGroup) {
    this.#label = label;
    this.#group = group;
  }

  /** Clients' queries, unanswered while suspect. */
  lost(queries: number, answered: boolean): void {
    this.#begin();
    if (answered) this.#failedOver += queries;
    else this.#failed += queries;
  }

  /** Called with each failed check. `why`: "connection refused". */
  down(why: string): void {
    const { nowMs } = this.#group.engine;
    this.#begin();
    if (!this.#down) this.#downs++;
    this.#down = true;
    if (this.#logged || this.#lost === 0 || nowMs - this.#loggedMs < PAUSE_MS) return;
    this.#logged = true;
    this.#loggedMs = nowMs;
    const times = this.#downs > 1 ? `${this.#downs} times, ` : "";
    const text = `is down (${times}${why}): ${this.#cost}, in the last ${this.#seconds} s`;
    this.#log("error", text, { state: "down", error: why });
  }

  /** The server has replied. */
  end(): void {
    this.#down = false;
    if (this.#logged) {
      this.#logged = false;
      this.#log("info", `is up again after ${this.#seconds} s: ${this.#cost}`, { state: "up" });
    } else if (this.#downs > 0 && this.#lost > 0) {
      // The next line reports it.
      return;
    }
    this.#sinceMs = -1;
    this.#failedOver = 0;
    this.#failed = 0;
    this.#downs = 0;
  }

  #begin(): void {
    if (this.#sinceMs < 0) this.#sinceMs = this.#group.engine.nowMs;
  }

  get #seconds(): string {
    return ((this.#group.engine.nowMs - this.#sinceMs) / 1000).toFixed(1);
  }

  get #lost(): number {
    return this.#failedOver + this.#failed;
  }

  get #cost(): string {
    return `${queriesText(this.#failedOver)} failed over, ${this.#failed} failed`;
  }

  #log(level: LogLevel, text: string, fields: { state: "up" | "down"; error?: string }): void {
    const { engine, zones } = this.#group;
    const upstream = this.#label;
    const all = engine.logsFields
      ? {
        ...{ plugin: "forward", upstream, zones, seconds: Number(this.#seconds) },
        ...{ failed_over: this.#failedOver, failed: this.#failed, ...fields },
      }
      : undefined;
    engine.log(level, `plugin/forward: ${upstream} (of ${listed(zones)}) ${text}`, all);
  }
}

function queriesText(count: number): string {
  return count === 1 ? "1 query" : `${count} queries`;
}

function listed(zones: readonly string[]): string {
  const more = zones.length - MAX_ZONES;
  return zones.slice(0, MAX_ZONES).join(" ") + (more > 0 ? ` and ${more} more` : "");
}

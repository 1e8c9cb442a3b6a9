import { type Clock, systemClock } from "../../../base/clock.ts";
import type { Config } from "../../../config/types.ts";
import type { MetricRegistry } from "../../../metrics/registry.ts";
import { type Forced, labelOf, type ServerAddress } from "../../../upstream/options.ts";
import type { PluginUse } from "../../companion.ts";
import type { ForwardOptions } from "../options.ts";

/** Each is delivered to every handler, and is a series of metrics. */
const MAX_FORCED = 64;
const METRIC = "nodens_upstream_forced";

/** A server set by an operator. */
export interface ForcedServer {
  readonly server: ServerAddress;
  readonly state: Forced;
  /** Even as the last of a group. */
  readonly last: boolean;
  /** Since 1970. */
  readonly sinceMs: number;
}

/** Servers as the data planes have them. */
export interface ForwardServers {
  readonly use: PluginUse<ForwardOptions>;
  readonly upstreams: readonly ServerAddress[];
}

/** Delivers servers. */
export interface ForcedFollower {
  follows(config: Config): boolean;
  readonly forwards: readonly ForwardServers[];
  applyForced(): void;
}

/** Servers set by hand. Outlives configurations, so reloads change nothing. */
export class ForcedServers {
  readonly followers = new Set<ForcedFollower>();
  readonly #servers = new Map<string, ForcedServer>();
  readonly #registry: MetricRegistry | null;
  readonly #clock: Clock;

  constructor(registry: MetricRegistry | null, clock: Clock = systemClock) {
    this.#registry = registry;
    this.#clock = clock;
  }

  get all(): readonly ForcedServer[] {
    return [...this.#servers.values()];
  }

  get(label: string): ForcedServer | undefined {
    return this.#servers.get(label);
  }

  get full(): boolean {
    return this.#servers.size >= MAX_FORCED;
  }

  /** Null: as checks say. */
  set(server: ServerAddress, to: { state: Forced; last: boolean } | null): void {
    const label = labelOf(server);
    if (to === null) {
      this.#servers.delete(label);
    } else {
      const known = this.#servers.get(label);
      const sinceMs = known?.state === to.state ? known.sinceMs : this.#clock.wall();
      this.#servers.set(label, { ...to, server, sinceMs });
    }
    this.#registry?.reset(METRIC);
    for (const [label, { state }] of this.#servers) {
      this.#registry?.gauge(METRIC, { to: label, state }).set(1);
    }
    for (const follower of this.followers) follower.applyForced();
  }

  /** By label. `spared`: all are out, because the group lost its others, so they are used. */
  of(servers: readonly ServerAddress[]): { forced: Record<string, Forced>; spared: boolean } {
    const forced: Record<string, Forced> = {};
    if (this.#servers.size === 0) return { forced, spared: false };
    const found = servers.map((server) => this.#servers.get(labelOf(server)));
    const spared = found.length > 0 && found.every((one) => one?.state === "down" && !one.last);
    for (const one of found) {
      if (one !== undefined && !spared) forced[labelOf(one.server)] = one.state;
    }
    return { forced, spared };
  }
}

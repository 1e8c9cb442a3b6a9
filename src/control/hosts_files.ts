import type { Config } from "../config/types.ts";
import { readFailure } from "../corefile/read_failure.ts";
import type { LogLevel } from "../engine/handler.ts";
import { HashKey } from "../engine/question/keyed_hash.ts";
import type { HostsOptions } from "../plugins/hosts/options.ts";
import { buildHostsTable } from "../plugins/hosts/table.ts";
import type { Gauge, MetricRegistry } from "../metrics/registry.ts";
import {
  fileState,
  MAX_HOSTS_BYTES,
  readRegularTextSync,
  requireRegular,
} from "../sys/regular_file.ts";
import type { DataPlane } from "./data_plane.ts";
import type { Delivery } from "./messages.ts";

/** How to say that a file could not be read, so that it is told once. */
const MISSING = "missing";

/** One `hosts` directive and what is known of its file. */
interface Follower {
  block: number;
  position: number;
  options: HostsOptions;
  /** State of the file when it was read, or `MISSING`; empty before. */
  known: string;
  /** What was read, as long as the file may change without another state. */
  text: string | null;
}

/** Reads the files of the `hosts` directives of one configuration, again when they change. */
export class HostsFiles {
  readonly #planes: readonly Pick<DataPlane, "deliver">[];
  readonly #log: (level: LogLevel, line: string) => void;
  readonly #reloadTime: Gauge | null;
  readonly #followers: readonly Follower[];
  readonly #key = HashKey.draw(() => crypto.getRandomValues(new Uint32Array(1))[0]!);
  readonly #timers: ReturnType<typeof setInterval>[] = [];

  constructor(
    config: Config,
    { planes, log, registry = null }: {
      planes: readonly Pick<DataPlane, "deliver">[];
      log: (level: LogLevel, line: string) => void;
      registry?: MetricRegistry | null;
    },
  ) {
    this.#planes = planes;
    this.#log = log;
    this.#reloadTime = registry?.gauge("coredns_hosts_reload_timestamp_seconds") ?? null;
    this.#followers = config.blocks.flatMap(({ plugins }, block) =>
      plugins.flatMap(({ name, options }, position) =>
        name === "hosts"
          ? [{ block, position, options: options as HostsOptions, known: "", text: null }]
          : []
      )
    );
  }

  /** Reads every file: what the handlers are to be given before they serve. */
  read(): Delivery[] {
    return this.#followers.flatMap((follower) => this.#load(follower) ?? []);
  }

  /** Looks after the files from now on, and tells the data planes of changes. */
  start(): void {
    for (const follower of this.#followers) {
      const { reloadMs } = follower.options;
      if (reloadMs <= 0) continue;
      const look = () => {
        const delivery = this.#load(follower);
        if (delivery === null) return;
        const { block, position, data } = delivery;
        for (const plane of this.#planes) plane.deliver(block, position, data);
      };
      this.#timers.push(setInterval(look, reloadMs));
    }
  }

  /** Stops watching. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Reads the file if it may differ from what is known; a file that went stays served. */
  #load(follower: Follower): Delivery | null {
    const { block, position, options: { path, zones, autoReverse } } = follower;
    try {
      const stat = Deno.statSync(path);
      requireRegular(stat, MAX_HOSTS_BYTES);
      const state = fileState(stat, Date.now());
      if (state.text === follower.known && follower.text === null) return null;
      const text = readRegularTextSync(path, MAX_HOSTS_BYTES);
      const same = state.text === follower.known && text === follower.text;
      follower.known = state.text;
      follower.text = state.fresh ? text : null;
      if (same) return null;
      const table = buildHostsTable({ text, zones, autoReverse }, this.#key);
      this.#reloadTime?.set((stat.mtime?.getTime() ?? NaN) / 1000);
      return { block, position, data: { table } };
    } catch (error) {
      if (follower.known !== MISSING) {
        this.#log("warning", `plugin/hosts: Cannot read "${path}": ${readFailure(error)}`);
      }
      follower.known = MISSING;
      follower.text = null;
      return null;
    }
  }
}

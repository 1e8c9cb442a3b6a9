import type { Config } from "../config/types.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { HostsOptions } from "../plugins/hosts/options.ts";
import { buildHostsTable } from "../plugins/hosts/table.ts";
import type { Gauge, MetricRegistry } from "../metrics/registry.ts";
import type { DataPlane } from "./data_plane.ts";

/** Reads the files of `hosts` directives and hands them to the data planes, again when they change. */
export class HostsFiles {
  readonly #planes: readonly DataPlane[];
  readonly #log: (level: LogLevel, line: string) => void;
  readonly #timers: ReturnType<typeof setInterval>[] = [];

  readonly #reloadTime: Gauge | null;

  constructor(
    planes: readonly DataPlane[],
    log: (level: LogLevel, line: string) => void,
    registry: MetricRegistry | null = null,
  ) {
    this.#planes = planes;
    this.#log = log;
    this.#reloadTime = registry?.gauge("coredns_hosts_reload_timestamp_seconds") ?? null;
  }

  /** Reads every file once and starts to watch it. */
  start(config: Config): void {
    config.blocks.forEach((block, index) =>
      block.plugins.forEach((plugin, position) => {
        if (plugin.name !== "hosts") return;
        const options = plugin.options as HostsOptions;
        let known = "";
        const look = () => known = this.#load(options, { index, position, known });
        look();
        if (options.reloadMs > 0) this.#timers.push(setInterval(look, options.reloadMs));
      })
    );
  }

  /** Stops watching. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Reads the file if its time or size differ from what is known; a file that went stays served. */
  #load(
    options: HostsOptions,
    { index, position, known }: { index: number; position: number; known: string },
  ): string {
    const { path, zones, autoReverse } = options;
    try {
      const { mtime, size, isFile } = Deno.statSync(path);
      const state = `${mtime?.getTime()} ${size}`;
      if (!isFile || state === known) return known;
      const text = Deno.readTextFileSync(path);
      const table = buildHostsTable({ text, zones, autoReverse });
      for (const plane of this.#planes) plane.deliver(index, position, { table });
      this.#reloadTime?.set((mtime?.getTime() ?? NaN) / 1000);
      return state;
    } catch (error) {
      if (known !== "missing") {
        this.#log("warning", `plugin/hosts: Cannot read "${path}": ${(error as Error).message}`);
      }
      return "missing";
    }
  }
}

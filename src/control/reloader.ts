import { type Cancel, type Clock, systemClock } from "../base/clock.ts";
import type { Config } from "../config/types.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { LoadedConfig } from "../loading/load.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import type { ConfigSource } from "./config_source.ts";
import type { ReloadStatus } from "./endpoints/status.ts";

/** Options of a `Reloader`. */
export interface ReloaderOptions {
  source: Pick<ConfigSource, "hash" | "read">;
  /** Rejects, changing nothing, on failure. */
  apply: (loaded: LoadedConfig) => Promise<void>;
  log: (level: LogLevel, line: string) => void;
  registry: MetricRegistry;
  onStart?: () => void;
  onDone: (status: ReloadStatus) => void;
  clock?: Clock;
}

/** Applies Corefile changes, one reload at a time. */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #clock: Clock;
  readonly #failed: { add(): void };
  #tried = "";
  #reload: Config["reload"];
  #cancel: Cancel = () => {};
  #last: Promise<unknown> = Promise.resolve();
  #queued: Promise<boolean> | null = null;
  #stopped = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#failed = options.registry.counter("coredns_reload_failed_total");
  }

  start({ config }: LoadedConfig): void {
    this.#tried = this.#options.source.hash;
    this.#adopt(config);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#last;
  }

  /** Reloads even if unchanged, or joins a queued reload. */
  reload(why: string): Promise<boolean> {
    return this.#queued ??= this.#enqueue(() => {
      this.#queued = null;
      this.#options.log("info", `${why}: Reloading`);
      this.#options.onStart?.();
      return this.#tryReload(false);
    });
  }

  #enqueue(work: () => Promise<boolean>): Promise<boolean> {
    const done = this.#last.then(() => this.#stopped ? false : work());
    // A failure must not end later reloads.
    this.#last = done.catch(() => {});
    return done;
  }

  async #tryReload(onlyIfChanged: boolean): Promise<boolean> {
    const { source, apply, log, onStart, onDone } = this.#options;
    const at = new Date(this.#clock.wall()).toISOString();
    const loaded = await source.read().catch((error: Error) => error);
    if (onlyIfChanged) {
      if (source.hash === this.#tried) return false;
      onStart?.();
      log("info", "plugin/reload: the Corefile has changed: Reloading");
    }
    this.#tried = source.hash;
    try {
      if (loaded instanceof Error) throw loaded;
      for (const warning of loaded.warnings) log("warning", warning);
      await apply(loaded);
      this.#adopt(loaded.config);
      log("info", "Reloading complete");
      onDone({ at, ok: true, faults: [] });
      return true;
    } catch (error) {
      const faults = (error as Error).message.split("\n");
      for (const fault of faults) log("error", `plugin/reload: ${fault}`);
      log(
        "error",
        "plugin/reload: the new Corefile is not applied; the previous one is still served",
      );
      this.#failed.add();
      onDone({ at, ok: false, faults });
      return false;
    }
  }

  #adopt({ reload }: Config): void {
    const { source, registry, log } = this.#options;
    registry.reset("coredns_reload_version_info");
    registry.gauge("coredns_reload_version_info", { hash: "sha512", value: source.hash }).set(1);
    this.#reload = reload;
    this.#schedule();
    if (reload !== undefined) {
      log("info", `plugin/reload: Running configuration SHA512 = ${source.hash}`);
    }
  }

  /** Jitter spreads nodes that started together. */
  #schedule(): void {
    this.#cancel();
    if (this.#reload === undefined || this.#stopped) return;
    const { intervalMs, jitterMs } = this.#reload;
    this.#cancel = this.#clock.after(intervalMs + (2 * Math.random() - 1) * jitterMs, () => {
      void this.#enqueue(() => this.#tryReload(true)).finally(() => this.#schedule());
    });
  }
}

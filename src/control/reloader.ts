import type { LoadedConfig } from "../loading/load.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import type { ConfigSource } from "./config_source.ts";
import type { ReloadStatus } from "./endpoints/status.ts";

/** What a reloader works with. */
export interface ReloaderOptions {
  source: Pick<ConfigSource, "read" | "hash">;
  /** Has a configuration served in place of the present one; where it throws, nothing has changed. */
  apply: (loaded: LoadedConfig) => Promise<void>;
  log: (level: LogLevel, line: string) => void;
  registry: MetricRegistry;
  /** Is told that a reload begins; `onDone` follows. */
  onStart?: () => void;
  /** Is told how each reload went. */
  onDone: (status: ReloadStatus) => void;
  /** From 0 up to 1. */
  random?: () => number;
}

/** Looks for changes of the Corefile, and has them taken over; one reload at a time. */
export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #failed: { add(): void };
  /** Hash of the Corefile that was tried last, whatever came of it. */
  #tried = "";
  #interval: { intervalMs: number; jitterMs: number } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting: Promise<boolean> | null = null;
  #stopped = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#failed = options.registry.counter("coredns_reload_failed_total");
  }

  /** Begins with a configuration that is served already. */
  start({ config }: LoadedConfig): void {
    this.#tried = this.#options.source.hash;
    this.#serves(config);
  }

  /** Looks for changes no more; resolves when none is being taken over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#last;
  }

  /**
   * Reloads, whether the Corefile has changed or not; says whether it was taken over. Asked again
   * while one waits for its turn, that one counts for both.
   */
  reload(why: string): Promise<boolean> {
    return this.#waiting ??= this.#inTurn(() => {
      this.#waiting = null;
      this.#options.log("info", `${why}: Reloading`);
      return this.#reload(false);
    });
  }

  #inTurn(work: () => Promise<boolean>): Promise<boolean> {
    const turn = this.#last.then(() => this.#stopped ? false : work());
    // One that fails unexpectedly must not end all that come later.
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** @param onlyIfChanged - does nothing if the Corefile is the one that was tried last */
  async #reload(onlyIfChanged: boolean): Promise<boolean> {
    const { source, apply, log, onStart, onDone } = this.#options;
    const at = new Date().toISOString();
    if (!onlyIfChanged) onStart?.();
    const reading = await settle(source.read());
    if (onlyIfChanged && source.hash === this.#tried) return false;
    this.#tried = source.hash;
    if (onlyIfChanged) {
      onStart?.();
      log("info", "plugin/reload: the Corefile has changed: Reloading");
    }
    try {
      if (reading instanceof Error) throw reading;
      const loaded = reading;
      for (const warning of loaded.warnings) log("warning", warning);
      await apply(loaded);
      this.#serves(loaded.config);
      log("info", "Reloading complete");
      onDone({ at, ok: true, faults: [] });
      return true;
    } catch (error) {
      const faults = (error as Error).message.split("\n");
      for (const fault of faults) log("error", `plugin/reload: ${fault}`);
      log("error", "plugin/reload: the new Corefile is not taken over; the one before is served");
      this.#failed.add();
      onDone({ at, ok: false, faults });
      return false;
    }
  }

  #serves({ reload }: LoadedConfig["config"]): void {
    const { source, registry, log } = this.#options;
    registry.reset("coredns_reload_version_info");
    registry.gauge("coredns_reload_version_info", { hash: "sha512", value: source.hash }).set(1);
    clearTimeout(this.#timer);
    this.#interval = reload ?? null;
    if (reload === undefined) return;
    log("info", `plugin/reload: Running configuration SHA512 = ${source.hash}`);
    this.#lookLater();
  }

  /** Nodes that were started together do not read together. */
  #lookLater(): void {
    if (this.#interval === null || this.#stopped) return;
    const { intervalMs, jitterMs } = this.#interval;
    const random = (this.#options.random ?? Math.random)();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      void this.#inTurn(() => this.#reload(true)).finally(() => this.#lookLater());
    }, intervalMs + (2 * random - 1) * jitterMs);
  }
}

/** A failure as a value. */
async function settle(reading: Promise<LoadedConfig>): Promise<LoadedConfig | Error> {
  try {
    return await reading;
  } catch (error) {
    return error as Error;
  }
}

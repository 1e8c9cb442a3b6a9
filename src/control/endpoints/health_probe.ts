import { type Cancel, type Clock, systemClock } from "../../base/clock.ts";
import type { Config } from "../../config/types.ts";
import { SLIM_TIME_BUCKETS } from "../../engine/buckets.ts";
import type { LogLevel } from "../../engine/handler.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import { httpAddressText } from "../../plugins/http_address.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import type { SelfChecks } from "../plane/self_checks.ts";

const SAMPLE_MS = 1000;
/** Data planes beat every second. */
const SILENT_MS = 2000;
const MAX_TARGETS = 16;

/** Options of a `HealthProbe`. */
export interface HealthProbeOptions {
  planes: readonly Pick<DataPlane, "heartbeatAgeMs">[];
  checks: Pick<SelfChecks, "watchListeners" | "verdicts">;
  registry: MetricRegistry;
  /** SO_MARK that exempts queries from redirection. */
  mark?: number;
  log: (level: LogLevel, line: string) => void;
  clock?: Clock;
}

/** Reports whether data planes answer (`SelfCheck`), even if the control plane is busy. */
export class HealthProbe {
  readonly #options: HealthProbeOptions;
  readonly #clock: Clock;
  readonly #duration: { observe(value: number): void };
  readonly #failures: { add(): void };
  readonly #started = Promise.withResolvers<void>();
  #firstRound: Promise<void> = this.#started.promise;
  #cancel: Cancel | null = null;
  #rounds = 0;
  #loggedFault: string | null = null;

  constructor(options: HealthProbeOptions) {
    const { registry, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#duration = registry.histogram(
      "coredns_health_request_duration_seconds",
      SLIM_TIME_BUCKETS,
    );
    this.#failures = registry.counter("coredns_health_request_failures_total");
  }

  start({ listeners }: Config): void {
    const { checks, mark = 0 } = this.#options;
    this.#rounds = checks.verdicts.rounds;
    const targets = listeners.slice(0, MAX_TARGETS).map(({ address, port }) => ({
      address: LOOPBACK[address] ?? address,
      port,
      mark,
    }));
    this.#firstRound = checks.watchListeners(targets).catch(() => {});
    this.#started.resolve();
    this.#cancel ??= this.#clock.every(SAMPLE_MS, () => void this.#sample());
  }

  stop(): void {
    if (this.#cancel === null) return;
    this.#cancel();
    this.#cancel = null;
    this.#options.checks.watchListeners([]).catch(() => {});
  }

  /** Up to a second old. Logs changes. */
  async fault(): Promise<string | null> {
    await this.#firstRound;
    const fault = this.#judge();
    if (fault === this.#loggedFault) return fault;
    this.#loggedFault = fault;
    const { log } = this.#options;
    if (fault === null) log("info", "plugin/health: queries are answered again");
    else log("warning", `plugin/health: ${fault}`);
    return fault;
  }

  #judge(): string | null {
    const { planes, checks } = this.#options;
    const silent = planes.filter(({ heartbeatAgeMs }) => heartbeatAgeMs > SILENT_MS).length;
    if (silent > 0) {
      return planes.length === 1
        ? "the data plane does not answer"
        : `${silent} of ${planes.length} data planes do not answer`;
    }
    const target = checks.verdicts.silent;
    if (target === null) return null;
    const text = httpAddressText({ host: target.address, port: target.port });
    return `a query to ${text} was not answered`;
  }

  async #sample(): Promise<void> {
    const fault = await this.fault();
    const { rounds, durationMs } = this.#options.checks.verdicts;
    if (rounds !== this.#rounds) this.#duration.observe(durationMs / 1000);
    this.#rounds = rounds;
    if (fault !== null) this.#failures.add();
  }
}

const LOOPBACK: Record<string, string> = { "": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1" };

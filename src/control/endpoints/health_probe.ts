import type { Config } from "../../config/types.ts";
import { SLIM_TIME_BUCKETS } from "../../engine/buckets.ts";
import type { LogLevel } from "../../engine/handler.ts";
import type { ProbeTarget } from "../../io/probe_socket.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import type { SelfChecks } from "../plane/self_checks.ts";

/** Time between two looks at what the checks have found, for log and metrics. */
const LOOK_MS = 1000;
/** A data plane that has not come round for so long does not answer; it should every second. */
const SILENT_MS = 2000;
/** Listeners that are asked: more than a node needs. */
const MAX_TARGETS = 16;

/** What the probe needs. */
export interface HealthProbeOptions {
  planes: readonly Pick<DataPlane, "heartbeatAgeMs">[];
  checks: Pick<SelfChecks, "watchListeners" | "verdicts">;
  registry: MetricRegistry;
  /** SO_MARK of the queries; 0, the default, for none. */
  mark?: number;
  log: (level: LogLevel, line: string) => void;
}

/**
 * Says whether the data planes answer. One of them asks every listener over UDP, once a second, as any
 * client would (`SelfCheck`); here the verdicts are only read, so nothing that keeps the control plane
 * busy makes a healthy data plane look ill.
 */
export class HealthProbe {
  readonly #options: HealthProbeOptions;
  readonly #duration: { observe(value: number): void };
  readonly #failures: { add(): void };
  #timer: ReturnType<typeof setInterval> | null = null;
  readonly #started = Promise.withResolvers<void>();
  /** The end of the first round of checks. */
  #first: Promise<void> = this.#started.promise;
  #rounds = 0;
  #told: string | null = null;

  constructor(options: HealthProbeOptions) {
    this.#options = options;
    const { registry } = options;
    this.#duration = registry.histogram(
      "coredns_health_request_duration_seconds",
      SLIM_TIME_BUCKETS,
    );
    this.#failures = registry.counter("coredns_health_request_failures_total");
  }

  /** Has these listeners checked from now on. */
  start({ listeners }: Config): void {
    const { checks, mark = 0 } = this.#options;
    this.#rounds = checks.verdicts.rounds;
    this.#first = checks.watchListeners(
      listeners.slice(0, MAX_TARGETS).map(({ address, port }) => ({
        address: address === "" || address === "0.0.0.0"
          ? "127.0.0.1"
          : address === "::"
          ? "::1"
          : address,
        port,
        mark,
      })),
      // A data plane that does not take it up does not come round either.
    ).catch(() => {});
    this.#started.resolve();
    if (this.#timer === null) this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Ends the checks. */
  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#options.checks.watchListeners([]).catch(() => {});
  }

  /** What is wrong, or null. It may have come to pass up to a second ago. */
  async fault(): Promise<string | null> {
    await this.#first;
    const fault = this.#judge();
    if (fault === this.#told) return fault;
    this.#told = fault;
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
    return target === null ? null : `a query to ${targetText(target)} was not answered`;
  }

  async #look(): Promise<void> {
    const fault = await this.fault();
    const { rounds, durationMs } = this.#options.checks.verdicts;
    if (rounds !== this.#rounds) this.#duration.observe(durationMs / 1000);
    this.#rounds = rounds;
    if (fault !== null) this.#failures.add();
  }
}

function targetText({ address, port }: ProbeTarget): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

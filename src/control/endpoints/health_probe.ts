import type { Cancel, Clock } from "../../base/clock.ts";
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
const LOOPBACK: Record<string, string> = { "": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Options of a `HealthProbe`. */
export interface HealthProbeOptions {
  planes: readonly Pick<DataPlane, "heartbeatAgeMs">[];
  checks: Pick<SelfChecks, "watchListeners" | "verdicts">;
  registry: MetricRegistry;
  /** SO_MARK that exempts from redirection. */
  mark?: number;
  log: (level: LogLevel, line: string) => void;
  clock: Clock;
}

/** Reports whether data planes answer (`SelfCheck`), even if the control plane is busy. */
export type HealthProbe = ReturnType<typeof makeHealthProbe>;

/** Creates a `HealthProbe`. */
export function makeHealthProbe(
  { planes, checks, registry, mark = 0, log, clock }: HealthProbeOptions,
) {
  const duration = registry.histogram("coredns_health_request_duration_seconds", SLIM_TIME_BUCKETS);
  const failures = registry.counter("coredns_health_request_failures_total");
  const started = Promise.withResolvers<void>();
  let firstRound: Promise<void> = started.promise;
  let cancel: Cancel | null = null;
  let rounds = 0;
  let loggedFault: string | null = null;

  const judge = (): string | null => {
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
  };

  /** Up to a second old. Logs changes. */
  const fault = async (): Promise<string | null> => {
    await firstRound;
    const found = judge();
    if (found === loggedFault) return found;
    loggedFault = found;
    if (found === null) log("info", "plugin/health: queries are answered again");
    else log("warning", `plugin/health: ${found}`);
    return found;
  };

  const sample = async (): Promise<void> => {
    const found = await fault();
    const { verdicts } = checks;
    if (verdicts.rounds !== rounds) duration.observe(verdicts.durationMs / 1000);
    rounds = verdicts.rounds;
    if (found !== null) failures.add();
  };

  return {
    fault,

    start({ listeners }: Config): void {
      rounds = checks.verdicts.rounds;
      const targets = listeners.slice(0, MAX_TARGETS).map(({ address, port }) => ({
        address: LOOPBACK[address] ?? address,
        port,
        mark,
      }));
      firstRound = checks.watchListeners(targets).catch(() => {});
      started.resolve();
      cancel ??= clock.every(SAMPLE_MS, () => void sample());
    },

    stop(): void {
      if (cancel === null) return;
      cancel();
      cancel = null;
      checks.watchListeners([]).catch(() => {});
    },
  };
}

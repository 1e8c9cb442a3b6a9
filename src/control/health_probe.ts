import type { Config } from "../config/types.ts";
import { SLIM_TIME_BUCKETS } from "../engine/buckets.ts";
import { COUNTER } from "../engine/counters.ts";
import type { LogLevel } from "../engine/handler.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import { openLibc } from "../sys/libc.ts";
import type { DataPlane } from "./data_plane.ts";
import { askUdp, NoReplyError, type QueryTarget } from "./dns_client.ts";
import { askMarked } from "./marked_probe.ts";
import { probeQuery } from "./probe_query.ts";

/** How often is asked, how long an answer may take, and how long a result is good. */
const PERIOD_MS = 1000;
const LIMIT_MS = 1000;
/** Listeners that are asked; a Corefile with more addresses than that is none for a node. */
const MAX_TARGETS = 16;
/** Pause between two rounds of queries where several data planes share the ports. */
const ROUND_MS = 20;

/** What the probe needs. */
export interface HealthProbeOptions {
  planes: readonly Pick<DataPlane, "values">[];
  registry: MetricRegistry;
  /** SO_MARK of the queries; 0, the default, for none. */
  mark?: number;
  log: (level: LogLevel, line: string) => void;
}

/**
 * Finds out whether the data planes answer, by asking them: a query over UDP to every listener, as
 * any client would send it.
 *
 * Which of several data planes gets a query is the kernel's choice, by the ports; so with more than
 * one, queries go out until each has counted one.
 */
export class HealthProbe {
  readonly #options: HealthProbeOptions;
  readonly #duration: { observe(value: number): void };
  readonly #failures: { add(): void };
  #targets: QueryTarget[] = [];
  #timer: ReturnType<typeof setInterval> | null = null;
  #running: Promise<string | null> | null = null;
  #last: { atMs: number; fault: string | null } | null = null;

  constructor(options: HealthProbeOptions) {
    this.#options = options;
    const { registry } = options;
    this.#duration = registry.histogram(
      "coredns_health_request_duration_seconds",
      SLIM_TIME_BUCKETS,
    );
    this.#failures = registry.counter("coredns_health_request_failures_total");
  }

  /** Asks these listeners from now on, once a second. */
  start({ listeners }: Config): void {
    this.#targets = listeners.slice(0, MAX_TARGETS).map(({ address, port }) => ({
      address: address === "" || address === "0.0.0.0"
        ? "127.0.0.1"
        : address === "::"
        ? "::1"
        : address,
      port,
    }));
    this.#last = null;
    if (this.#timer === null) this.#timer = setInterval(() => void this.#probe(), PERIOD_MS);
  }

  /** Asks no more. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** What is wrong, or null. The result may be up to a second old. */
  async fault(): Promise<string | null> {
    const last = this.#last;
    if (last !== null && performance.now() - last.atMs <= PERIOD_MS) return last.fault;
    return await this.#probe();
  }

  #probe(): Promise<string | null> {
    return this.#running ??= this.#ask().finally(() => this.#running = null);
  }

  async #ask(): Promise<string | null> {
    const startMs = performance.now();
    const fault = await this.#askAll();
    const endMs = performance.now();
    this.#duration.observe((endMs - startMs) / 1000);
    if (fault !== null) this.#failures.add();
    if (fault !== (this.#last?.fault ?? null)) {
      const { log } = this.#options;
      if (fault === null) log("info", "plugin/health: queries are answered again");
      else log("warning", `plugin/health: ${fault}`);
    }
    this.#last = { atMs: endMs, fault };
    return fault;
  }

  #askOne(target: QueryTarget, timeoutMs: number): Promise<string | null> {
    return ask(target, { timeoutMs, mark: this.#options.mark ?? 0 });
  }

  async #askAll(): Promise<string | null> {
    const { planes } = this.#options;
    const deadlineMs = performance.now() + LIMIT_MS;
    const before = planes.map(({ values }) => values[COUNTER.PROBES]!);
    const faults = await Promise.all(this.#targets.map((target) => this.#askOne(target, LIMIT_MS)));
    const fault = faults.find((one) => one !== null);
    if (fault !== undefined) return fault;
    const [target] = this.#targets;
    for (;;) {
      const silent = planes.filter(({ values }, i) => values[COUNTER.PROBES] === before[i]);
      if (silent.length === 0 || target === undefined) return null;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return `${silent.length} of ${planes.length} data planes do not answer`;
      const round = Promise.all(planes.map(() => this.#askOne(target, leftMs)));
      const pause = new Promise((resolve) => setTimeout(resolve, Math.min(ROUND_MS, leftMs)));
      await Promise.race([round, pause]);
    }
  }
}

/** Asks one listener; what is wrong, or null. */
async function ask(
  target: QueryTarget,
  { timeoutMs, mark }: { timeoutMs: number; mark: number },
): Promise<string | null> {
  const query = probeQuery();
  try {
    if (mark !== 0) {
      if (await askMarked(openLibc(), target, { mark, timeoutMs })) return null;
      throw new NoReplyError("timed out");
    }
    await askUdp(target, query, {
      timeoutMs,
      accept: (reply) => reply.length >= 12 && reply[0] === query[0] && reply[1] === query[1],
    });
    return null;
  } catch (error) {
    const { address, port } = target;
    const where = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    return `a query to ${where} was not answered: ${(error as Error).message}`;
  }
}

import { rcodeText } from "../../dns/mnemonics.ts";
import { bucketOf, TIME_BUCKETS } from "../../engine/buckets.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { ServerCounts } from "../details.ts";

/** The rest are "other". */
const RCODES = 24;

/** The metrics of one server. */
export class ServerMetrics {
  readonly #engine: EngineServices;
  readonly #label: string;
  readonly #counters: ReturnType<typeof countersOf>;
  readonly #rtt: number;
  readonly #up: number;
  readonly #durations = new Int32Array(RCODES + 1);

  constructor(engine: EngineServices, label: string, encrypted: boolean) {
    this.#engine = engine;
    this.#label = label;
    const to = { to: label };
    this.#rtt = engine.counter("nodens_upstream_rtt_seconds", to);
    this.#up = engine.counter("nodens_upstream_up", to);
    this.#counters = countersOf(engine, to, encrypted);
    this.showUp(true);
  }

  /** Over all groups with this server. */
  get counts(): ServerCounts {
    const { replies, failures, timeouts, hedges, hedgesWon, resends } = this.#counters;
    const of = (index: number) => this.#engine.values[index]!;
    return {
      replies: of(replies),
      failures: of(failures),
      timeouts: of(timeouts),
      hedges: of(hedges),
      hedgesWon: of(hedgesWon),
      resends: of(resends),
    };
  }

  count(counter: keyof ReturnType<typeof countersOf>): void {
    this.#engine.values[this.#counters[counter]]!++;
  }

  countReply(rcode: number, tookMs: number): void {
    const { values } = this.#engine;
    this.count("replies");
    const kind = rcode < RCODES ? rcode : RCODES;
    const duration = this.#durations[kind]! || this.#makeDuration(kind);
    values[duration + bucketOf(TIME_BUCKETS, tookMs / 1000)]!++;
    values[duration + TIME_BUCKETS.length + 1]! += tookMs / 1000;
  }

  showRoundTrip(meanMs: number): void {
    this.#engine.values[this.#rtt] = meanMs / 1000;
  }

  showUp(up: boolean): void {
    this.#engine.values[this.#up] = up ? 1 : 0;
  }

  /** Unless another group publishes the server. */
  hide(): void {
    this.#engine.values[this.#up] = NaN;
    this.#engine.values[this.#rtt] = NaN;
  }

  #makeDuration(kind: number): number {
    const rcode = kind === RCODES ? "other" : rcodeText(kind);
    return this.#durations[kind] = this.#engine.histogram(
      "coredns_proxy_request_duration_seconds",
      { proxy_name: "forward", to: this.#label, rcode },
      TIME_BUCKETS,
    );
  }
}

function countersOf(engine: EngineServices, to: { to: string }, encrypted: boolean) {
  const proxy = { proxy_name: "forward", ...to };
  const connection = { ...proxy, proto: encrypted ? "tcp-tls" : "tcp" };
  return {
    replies: engine.counter("nodens_upstream_replies_total", to),
    failures: engine.counter("nodens_upstream_failures_total", to),
    timeouts: engine.counter("nodens_upstream_timeouts_total", to),
    hedges: engine.counter("nodens_upstream_hedges_total", to),
    hedgesWon: engine.counter("nodens_upstream_hedges_won_total", to),
    resends: engine.counter("nodens_upstream_resends_total", to),
    mismatches: engine.counter("nodens_upstream_mismatched_replies_total", to),
    failedChecks: engine.counter("coredns_proxy_healthcheck_failures_total", proxy),
    connectionsFound: engine.counter("coredns_proxy_conn_cache_hits_total", connection),
    connectionsOpened: engine.counter("coredns_proxy_conn_cache_misses_total", connection),
  };
}

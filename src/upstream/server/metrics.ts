import { rcodeText } from "../../dns/mnemonics.ts";
import { TIME_BUCKETS, timeBucket } from "../../engine/buckets.ts";
import type { EngineServices } from "../../engine/handler.ts";

/** Response codes that are counted apart; the server's own inventions are "other". */
const RCODES = 24;

/** What is counted of one server. */
export class ServerMetrics {
  readonly #engine: EngineServices;
  readonly #label: string;
  readonly #replies: number;
  readonly #failures: number;
  readonly #mismatches: number;
  readonly #checks: number;
  readonly #rtt: number;
  readonly #up: number;
  readonly #found: number;
  readonly #opened: number;
  /** Histograms of how long replies take, by response code; 0 for none yet. */
  readonly #durations = new Int32Array(RCODES + 1);

  /** @param encrypted - connections use TLS */
  constructor(engine: EngineServices, label: string, encrypted: boolean) {
    this.#engine = engine;
    this.#label = label;
    const to = { to: label };
    const proxy = { proxy_name: "forward", ...to };
    const connection = { ...proxy, proto: encrypted ? "tcp-tls" : "tcp" };
    this.#replies = engine.counter("nodens_upstream_replies_total", to);
    this.#failures = engine.counter("nodens_upstream_failures_total", to);
    this.#mismatches = engine.counter("nodens_upstream_mismatched_replies_total", to);
    this.#rtt = engine.counter("nodens_upstream_rtt_seconds", to);
    this.#up = engine.counter("nodens_upstream_up", to);
    this.#checks = engine.counter("coredns_proxy_healthcheck_failures_total", proxy);
    this.#found = engine.counter("coredns_proxy_conn_cache_hits_total", connection);
    this.#opened = engine.counter("coredns_proxy_conn_cache_misses_total", connection);
    engine.values[this.#up] = 1;
  }

  countReply(rcode: number, tookMs: number): void {
    const { values } = this.#engine;
    values[this.#replies]!++;
    const kind = rcode < RCODES ? rcode : RCODES;
    const duration = this.#durations[kind]! || this.#makeDuration(kind);
    values[duration + timeBucket(tookMs)]!++;
    values[duration + TIME_BUCKETS.length + 1]! += tookMs / 1000;
  }

  countFailure(): void {
    this.#engine.values[this.#failures]!++;
  }

  countMismatch(): void {
    this.#engine.values[this.#mismatches]!++;
  }

  countFailedCheck(): void {
    this.#engine.values[this.#checks]!++;
  }

  /** A query found a connection to travel on, or one was opened for it. */
  countConnection(found: boolean): void {
    this.#engine.values[found ? this.#found : this.#opened]!++;
  }

  showRoundTrip(meanMs: number): void {
    this.#engine.values[this.#rtt] = meanMs / 1000;
  }

  showUp(up: boolean): void {
    this.#engine.values[this.#up] = up ? 1 : 0;
  }

  /** Ends the export, unless somebody else who asks the same server says so again. */
  hide(): void {
    const { values } = this.#engine;
    values[this.#up] = NaN;
    values[this.#rtt] = NaN;
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

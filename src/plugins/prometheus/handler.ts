import { bucketOf, TIME_BUCKETS } from "../../engine/buckets.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { CreateHandler, Handler, HandlerEnvironment } from "../../engine/handler.ts";
import type { ServedZone } from "../../engine/served.ts";
import type { Timer } from "../../engine/timers.ts";
import { Meter } from "./meter.ts";

/** Zone of queries that reached no server block, as in CoreDNS. */
const DROPPED = "dropped";
/** Zone of queries for zones beyond `MAX_METERS`. */
const OTHER = "other";
/** Zones counted separately, for each server block. */
const MAX_METERS = 512;
const LAG_INTERVAL_MS = 1000;

/** Counts the queries of its server block, and measures the lag of the data plane's loop. */
export const createPrometheus: CreateHandler = (_options, environment) =>
  new PrometheusHandler(environment);

class PrometheusHandler implements Handler {
  readonly name = "prometheus";
  readonly #engine: HandlerEnvironment["engine"];
  readonly #plugins: readonly string[];
  // By listener, then by position of the zone in it, after queries without a zone.
  readonly #served: (ServedZone | undefined)[][] = [];
  readonly #meters: Meter[][] = [];
  #count = 0;

  readonly #lag: number;
  readonly #timer: Timer;
  #dueMs = 0;

  constructor({ engine, plugins, served }: HandlerEnvironment) {
    this.#engine = engine;
    this.#plugins = plugins?.map(({ name }) => name) ?? [];
    for (const zone of served ?? []) {
      (this.#served[zone.listener] ??= [])[zone.place + 1] = zone;
      this.#served[zone.listener]![0] ??= { ...zone, zone: DROPPED };
    }
    this.#lag = engine.histogram("nodens_loop_lag_seconds", {}, TIME_BUCKETS);
    this.#timer = engine.timers.create((nowMs) => this.#measureLag(nowMs));
    this.#schedule(engine.nowMs);
  }

  sent(exchange: Exchange, sizeBytes: number): void {
    const { listener } = exchange;
    const position = exchange.zone + 1;
    const meter = this.#meters[listener]?.[position] ?? this.#makeMeter(listener, position);
    if (meter !== null) meter.count(exchange, sizeBytes);
  }

  stop(): void {
    this.#engine.timers.clear(this.#timer);
  }

  /** Null for a zone that is no longer served: a client's stream may outlive a configuration. */
  #makeMeter(listener: number, position: number): Meter | null {
    const served = this.#served[listener]?.[position];
    if (served === undefined) return null;
    const separate = position === 0 || ++this.#count <= MAX_METERS;
    const labels = { server: served.server, zone: separate ? served.zone : OTHER, view: "" };
    const meter = new Meter(this.#engine, labels, this.#plugins);
    return (this.#meters[listener] ??= [])[position] = meter;
  }

  #schedule(nowMs: number): void {
    this.#dueMs = nowMs + LAG_INTERVAL_MS;
    this.#engine.timers.set(this.#timer, this.#dueMs);
  }

  #measureLag(nowMs: number): void {
    const { values } = this.#engine;
    const lagSeconds = Math.max(0, nowMs - this.#dueMs) / 1000;
    values[this.#lag + bucketOf(TIME_BUCKETS, lagSeconds)]!++;
    values[this.#lag + TIME_BUCKETS.length + 1]! += lagSeconds;
    this.#schedule(nowMs);
  }
}

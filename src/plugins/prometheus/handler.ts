import { bucketOf, TIME_BUCKETS } from "../../engine/buckets.ts";
import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { CreateHandler, Handler, HandlerEnvironment } from "../../engine/handler.ts";
import type { ServedZone } from "../../engine/served.ts";
import type { Timer } from "../../engine/timers.ts";
import { Meter } from "./meter.ts";

/** Value of the label `zone` for queries that no server block saw (CoreDNS's word, no zone's name). */
const DROPPED = "dropped";
/** The same for the zones that come after the first `MAX_METERS` to be asked. */
const OTHER = "other";
/** Zones of one server block that are counted apart. */
const MAX_METERS = 512;
/** How often the loop is looked at. */
const LOOK_MS = 1000;

/** Makes the handler of a `prometheus` directive. */
export const createPrometheus: CreateHandler = (_options, environment) =>
  new PrometheusHandler(environment);

/** Counts every query of its server block, and how late the data plane's loop is. */
class PrometheusHandler implements Handler {
  readonly name = "prometheus";
  readonly #environment: HandlerEnvironment;
  readonly #plugins: readonly string[];
  /** What is known of each zone, by listener and place. */
  readonly #served: (ServedZone | undefined)[][] = [];
  /** By listener and the place of the zone in it, queries without a zone first. */
  readonly #meters: Meter[][] = [];
  #count = 0;

  readonly #lag: number;
  readonly #timer: Timer;
  #dueMs = 0;

  constructor(environment: HandlerEnvironment) {
    const { engine, plugins, served } = environment;
    this.#environment = environment;
    this.#plugins = plugins?.map(({ name }) => name) ?? [];
    for (const zone of served ?? []) {
      (this.#served[zone.listener] ??= [])[zone.place + 1] = zone;
      this.#served[zone.listener]![0] ??= { ...zone, zone: DROPPED };
    }
    this.#lag = engine.histogram("nodens_loop_lag_seconds", {}, TIME_BUCKETS);
    this.#timer = engine.timers.create((nowMs) => this.#look(nowMs));
    this.#watch(engine.nowMs);
  }

  sent(exchange: Exchange, sizeBytes: number): void {
    const { listener } = exchange;
    const place = exchange.zone + 1;
    const meter = this.#meters[listener]?.[place] ?? this.#make(listener, place);
    if (meter !== null) meter.count(exchange, sizeBytes);
  }

  stop(): void {
    this.#environment.engine.timers.clear(this.#timer);
  }

  /** Null for a zone that is not served any more: a client's stream may outlive a configuration. */
  #make(listener: number, place: number): Meter | null {
    const served = this.#served[listener]?.[place];
    if (served === undefined) return null;
    const { server, zone } = served;
    const apart = place === 0 || ++this.#count <= MAX_METERS;
    const labels = { server, zone: apart ? zone : OTHER, view: "" };
    return (this.#meters[listener] ??= [])[place] = new Meter(
      this.#environment.engine,
      labels,
      this.#plugins,
    );
  }

  #watch(nowMs: number): void {
    this.#dueMs = nowMs + LOOK_MS;
    this.#environment.engine.timers.set(this.#timer, this.#dueMs);
  }

  #look(nowMs: number): void {
    const { values } = this.#environment.engine;
    const lagSeconds = Math.max(0, nowMs - this.#dueMs) / 1000;
    values[this.#lag + bucketOf(TIME_BUCKETS, lagSeconds)]!++;
    values[this.#lag + TIME_BUCKETS.length + 1]! += lagSeconds;
    this.#watch(nowMs);
  }
}

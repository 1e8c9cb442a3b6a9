import { bucketOf, TIME_BUCKETS } from "../../engine/buckets.ts";
import type { CreateHandler } from "../../engine/handler.ts";
import type { ServedZone } from "../../engine/served.ts";
import { explainPrometheus } from "./explain.ts";
import { Meter } from "./meter.ts";

/** Queries that reached no server block, as in CoreDNS. */
const DROPPED = "dropped";
/** Zones beyond `MAX_METERS`. */
const OTHER = "other";
/** Per server block. */
const MAX_METERS = 512;
const LAG_INTERVAL_MS = 1000;

/** Counts the block's queries; measures lag. */
export const createPrometheus: CreateHandler = (_options, environment) => {
  const { engine, served = [], plugins = [] } = environment;
  const names = plugins.map(({ name }) => name);
  // By listener, then by zone position, after queries without a zone.
  const zones: (ServedZone | undefined)[][] = [];
  const meters: Meter[][] = [];
  let count = 0;
  for (const zone of served) {
    (zones[zone.listener] ??= [])[zone.place + 1] = zone;
    zones[zone.listener]![0] ??= { ...zone, zone: DROPPED };
  }

  /** Null for a removed zone: streams may outlive a configuration. */
  const makeMeter = (listener: number, position: number): Meter | null => {
    const found = zones[listener]?.[position];
    if (found === undefined) return null;
    const separate = position === 0 || ++count <= MAX_METERS;
    const labels = { server: found.server, zone: separate ? found.zone : OTHER, view: "" };
    return (meters[listener] ??= [])[position] = new Meter(engine, labels, names);
  };

  const lag = engine.histogram("nodens_loop_lag_seconds", {}, TIME_BUCKETS);
  let dueMs = engine.nowMs + LAG_INTERVAL_MS;
  const timer = engine.timers.create((nowMs) => {
    const lagSeconds = Math.max(0, nowMs - dueMs) / 1000;
    engine.values[lag + bucketOf(TIME_BUCKETS, lagSeconds)]!++;
    engine.values[lag + TIME_BUCKETS.length + 1]! += lagSeconds;
    dueMs = nowMs + LAG_INTERVAL_MS;
    engine.timers.set(timer, dueMs);
  });
  engine.timers.set(timer, dueMs);

  return {
    name: "prometheus",
    passive: true,
    sent(exchange, sizeBytes) {
      const { listener, zone } = exchange;
      const meter = meters[listener]?.[zone + 1] ?? makeMeter(listener, zone + 1);
      if (meter !== null) meter.count(exchange, sizeBytes);
    },
    sentByKernel(answers, position) {
      const { listener, zone } = answers;
      const meter = meters[listener]?.[zone + 1] ?? makeMeter(listener, zone + 1);
      if (meter !== null) meter.countMany(answers, position);
    },
    explain: (exchange) => explainPrometheus(exchange, served),
    stop: () => engine.timers.clear(timer),
  };
};

import type { Clock } from "../../base/clock.ts";
import type { Config } from "../../config/types.ts";
import { COUNTER } from "../../engine/counters.ts";
import { serverLabel } from "../../engine/served.ts";
import {
  acceptsGzip,
  chooseFormat,
  expose,
  type Format,
  MEDIA_TYPES,
} from "../../metrics/exposition.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import { SeriesBook } from "../../metrics/series.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import type { HttpReply, HttpRequest } from "./http/message.ts";
import { Recent } from "./http/recent.ts";
import { addProcessMetrics } from "./process_metrics.ts";

const ENGINE: readonly [index: number, name: string, labels: Record<string, string>][] = [
  [COUNTER.PANICS, "coredns_panics_total", {}],
  [COUNTER.UDP_QUERIES, "nodens_queries_total", { proto: "udp" }],
  [COUNTER.TCP_QUERIES, "nodens_queries_total", { proto: "tcp" }],
  [COUNTER.DROPPED, "nodens_messages_dropped_total", {}],
  [COUNTER.REFUSED, "nodens_queries_refused_total", {}],
  [COUNTER.SHED, "nodens_queries_shed_total", { reason: "full" }],
  [COUNTER.SHED_SHARE, "nodens_queries_shed_total", { reason: "client" }],
  [COUNTER.DISCARDED, "nodens_queries_discarded_total", {}],
  [COUNTER.LIMITED, "nodens_responses_limited_total", {}],
  [COUNTER.SENDS_LOST, "nodens_responses_lost_total", {}],
  [COUNTER.QUERIES_LOST, "nodens_queries_lost_total", {}],
  [COUNTER.TLS_UNSENT, "nodens_tls_queries_unsent_total", {}],
  [COUNTER.UNEXPECTED_UDP, "nodens_upstream_unexpected_replies_total", { proto: "udp" }],
  [COUNTER.UNEXPECTED_TCP, "nodens_upstream_unexpected_replies_total", { proto: "tcp" }],
  [COUNTER.STREAMS_REFUSED, "nodens_streams_refused_total", {}],
  [COUNTER.LOG_DROPPED, "nodens_log_lines_dropped_total", {}],
  [COUNTER.LOG_SENT, "nodens_log_bytes_total", {}],
  [COUNTER.HEARTBEAT, "nodens_heartbeats_total", {}],
  [COUNTER.WITHOUT_ROOM, "nodens_metrics_without_room_total", {}],
];

/** Requests share a scrape. */
const SHARED_MS = 1000;

/** For new series; a hung data plane must not delay a scrape. */
const PLACES_MS = 100;

/** Answers scrapes from shared memory; waits for a data plane only if it has new series. */
export type MetricsSource = ReturnType<typeof makeMetricsSource>;

/** Creates a `MetricsSource`. */
export function makeMetricsSource({ planes, registry, build: { version, deno }, clock }: {
  planes: readonly DataPlane[];
  registry: MetricRegistry;
  build: { version: string; deno: string };
  clock: Clock;
}) {
  registry.gauge("coredns_build_info", { version, revision: "", goversion: "" }).set(1);
  registry.gauge("nodens_build_info", { version, deno }).set(1);
  registry.onScrape(addProcessMetrics);

  const collect = (): SeriesBook => {
    const book = new SeriesBook();
    for (const plane of planes) {
      for (const [index, name, labels] of ENGINE) book.add(name, labels, plane.values[index]!);
      book.addSeries(plane.places, plane.values);
      for (const { server, drops } of plane.socketDrops()) {
        book.add("nodens_socket_drops_total", { server }, drops);
      }
      book.add("nodens_data_plane_restarts_total", {}, plane.restarts);
    }
    book.add("nodens_data_planes", {}, planes.length);
    const ageMs = Math.max(0, ...planes.map(({ heartbeatAgeMs }) => heartbeatAgeMs));
    book.add("nodens_heartbeat_age_seconds", {}, ageMs / 1000);
    registry.collect(book);
    return book;
  };
  const recent = (format: Format) =>
    // Asynchronous: failures are shared too.
    new Recent<HttpReply>(SHARED_MS, async () => {
      await Promise.all(planes.map((plane) => plane.collectKernel(PLACES_MS)));
      await Promise.all(planes.map((plane) => plane.placesKnown(PLACES_MS)));
      const headers = { "content-type": MEDIA_TYPES[format], vary: "Accept-Encoding" };
      const body = new TextEncoder().encode(expose(collect(), format));
      return { status: 200, headers, body };
    }, clock);
  const replies = { text: recent("text"), openmetrics: recent("openmetrics") };
  const packed = new WeakMap<HttpReply, Promise<HttpReply>>();

  return {
    configure({ blocks, listeners, endpoints = [] }: Config): void {
      registry.reset("coredns_plugin_enabled");
      for (const { address, port, zones } of listeners) {
        const server = serverLabel(address, port);
        for (const { zone, block } of zones) {
          if (!endpoints.some((one) => one.kind === "prometheus" && one.block === block)) continue;
          for (const { name } of blocks[block]!.plugins) {
            registry.gauge("coredns_plugin_enabled", { server, zone, view: "", name }).set(1);
          }
        }
      }
    },

    async serve({ headers }: HttpRequest): Promise<HttpReply> {
      const reply = await replies[chooseFormat(headers.get("accept") ?? null)].get();
      if (!acceptsGzip(headers.get("accept-encoding") ?? null)) return reply;
      return await packed.getOrInsertComputed(reply, compress);
    },
  };
}

async function compress({ status, headers, body }: HttpReply): Promise<HttpReply> {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return { status, headers: { ...headers, "content-encoding": "gzip" }, body: bytes };
}

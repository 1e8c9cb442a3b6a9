import type { Config } from "../../config/types.ts";
import { COUNTER } from "../../engine/counters.ts";
import { serverLabel } from "../../engine/served.ts";
import {
  chooseFormat,
  expose,
  type Format,
  MEDIA_TYPES,
  takesGzip,
} from "../../metrics/exposition.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import { SeriesBook } from "../../metrics/series.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import type { HttpReply, HttpRequest } from "./http/message.ts";
import { Recent } from "./http/recent.ts";
import { addProcessMetrics } from "./process_metrics.ts";

/** The engine's own counters and what they are exported as. */
const ENGINE: readonly [place: number, name: string, labels: Record<string, string>][] = [
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

/**
 * How old the figures of a scrape may be. They are written out once in this time at most, however
 * many ask, and all share the same octets: so a flood of requests costs neither the time of other
 * work in this thread nor memory for each answer. Scrapers ask every few seconds.
 */
const COPY_MS = 1000;

/** Writes what a scrape gets. It reads shared memory and asks no data plane anything. */
export class MetricsSource {
  readonly #answers: Record<Format, Answers>;
  readonly #planes: readonly DataPlane[];
  readonly #registry: MetricRegistry;

  constructor(
    planes: readonly DataPlane[],
    registry: MetricRegistry,
    build: { version: string; deno: string },
    copyMs: number = COPY_MS,
  ) {
    this.#planes = planes;
    this.#registry = registry;
    const { version, deno } = build;
    registry.gauge("coredns_build_info", { version, revision: "", goversion: "" }).set(1);
    registry.gauge("nodens_build_info", { version, deno }).set(1);
    registry.onScrape(addProcessMetrics);
    const answers = (format: Format) => {
      const plain = new Recent(copyMs, async () => await this.#render(format));
      let packed: { from: HttpReply; reply: Promise<HttpReply> } | null = null;
      const gzip = async () => {
        const from = await plain.get();
        if (packed?.from !== from) packed = { from, reply: zipped(from) };
        return await packed.reply;
      };
      return { plain: () => plain.get(), gzip };
    };
    this.#answers = { text: answers("text"), openmetrics: answers("openmetrics") };
  }

  /** Takes over a configuration: whose plugins are exported as enabled. */
  configure({ blocks, listeners, endpoints = [] }: Config): void {
    this.#registry.reset("coredns_plugin_enabled");
    for (const { address, port, zones } of listeners) {
      const server = serverLabel(address, port);
      for (const { zone, block } of zones) {
        const names = blocks[block]!.plugins.map(({ name }) => name);
        if (!endpoints.some((one) => one.kind === "prometheus" && one.block === block)) continue;
        for (const name of names) {
          this.#registry.gauge("coredns_plugin_enabled", { server, zone, view: "", name }).set(1);
        }
      }
    }
  }

  /** Answers a scrape in the form and coding that the client asks for. */
  readonly serve = ({ headers: asked }: HttpRequest): Promise<HttpReply> => {
    const { plain, gzip } = this.#answers[chooseFormat(asked.get("accept") ?? null)];
    return (takesGzip(asked.get("accept-encoding") ?? null) ? gzip : plain)();
  };

  #render(format: Format): HttpReply {
    const text = expose(this.#collect(), format);
    const headers = { "content-type": MEDIA_TYPES[format], vary: "Accept-Encoding" };
    return { status: 200, headers, body: new TextEncoder().encode(text) };
  }

  #collect(): SeriesBook {
    const book = new SeriesBook();
    let ageMs = 0;
    for (const plane of this.#planes) {
      for (const [place, name, labels] of ENGINE) book.add(name, labels, plane.values[place]!);
      book.addPlaces(plane.places, plane.values);
      for (const { server, drops } of plane.socketDrops()) {
        book.add("nodens_socket_drops_total", { server }, drops);
      }
      book.add("nodens_data_plane_restarts_total", {}, plane.restarts);
      ageMs = Math.max(ageMs, plane.heartbeatAgeMs);
    }
    book.add("nodens_data_planes", {}, this.#planes.length);
    book.add("nodens_heartbeat_age_seconds", {}, ageMs / 1000);
    this.#registry.collect(book);
    return book;
  }
}

/** A scrape's answers, which many requests share. */
interface Answers {
  plain: () => Promise<HttpReply>;
  gzip: () => Promise<HttpReply>;
}

async function zipped({ status, headers, body }: HttpReply): Promise<HttpReply> {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return { status, headers: { ...headers, "content-encoding": "gzip" }, body: bytes };
}

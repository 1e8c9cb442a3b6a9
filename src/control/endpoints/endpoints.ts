import type { Config } from "../../config/types.ts";
import { type HttpAddress, httpAddressText } from "../../plugins/http_address.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import { type HealthProbe, type HealthProbeOptions, makeHealthProbe } from "./health_probe.ts";
import type { HttpConnection, HttpContext } from "./http/connection.ts";
import { type HttpReply, type HttpRequest, type HttpStream, textReply } from "./http/message.ts";
import { type HttpRoute, HttpServers, type HttpServersOptions } from "./http_server.ts";
import { makeMetricsSource, type MetricsSource } from "./metrics_source.ts";
import { profileRoutes } from "./profiles.ts";
import { makeReadiness } from "./readiness.ts";
import type { StatusSource } from "./status_source.ts";

/** Operator page and its stream. */
export interface OperatorPage {
  document(): Promise<HttpReply>;
  events(connection: HttpConnection): HttpReply | HttpStream;
}

/** Options of `Endpoints`. */
export interface EndpointsOptions extends HttpServersOptions, HealthProbeOptions {
  planes: readonly DataPlane[];
  build: { version: string; deno: string };
  metricsAddresses: readonly HttpAddress[];
  status: StatusSource;
  /** Called per request; absent: no page. */
  page?: () => Promise<OperatorPage>;
}

/** Serves the `prometheus`, `health`, `ready` and `pprof` directives. */
export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #servers: HttpServers;
  readonly #metrics: MetricsSource;
  readonly #probe: HealthProbe;
  readonly #profiles: ReturnType<typeof profileRoutes>;
  #probed: Config | null = null;
  #lameduckMs = 0;
  #stopping = false;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#servers = new HttpServers(options);
    this.#metrics = makeMetricsSource(options);
    this.#probe = makeHealthProbe(options);
    this.#profiles = profileRoutes(options.planes, options.clock);
  }

  /**
   * Serves a configuration, or throws and changes nothing. `shared`: another process may use the
   * addresses.
   */
  apply(config: Config, shared = false): void {
    const { endpoints = [] } = config;
    const { metricsAddresses, status, planes, clock } = this.#options;
    const routes: HttpRoute[] = [];
    const addMetrics = ({ host, port }: HttpAddress) => {
      routes.push({ host, port, path: "/metrics", handler: this.#metrics.serve });
      // Zones, upstreams, names and clients are confidential.
      const local = this.#localRoutes.map((route) => ({ host, port, ...route, localOnly: true }));
      routes.push(...local);
    };
    metricsAddresses.forEach(addMetrics);
    for (const endpoint of endpoints) if (endpoint.kind === "prometheus") addMetrics(endpoint);
    const healths = endpoints.filter((endpoint) => endpoint.kind === "health");
    for (const { host, port } of healths) {
      routes.push({ host, port, path: "/health", probe: true, handler: () => this.#health() });
    }
    const readies = endpoints.filter((endpoint) => endpoint.kind === "ready");
    for (const same of Map.groupBy(readies, httpAddressText).values()) {
      const { host, port } = same[0]!;
      const blocks = new Map(same.map(({ block, continuously }) => [block, { continuously }]));
      const missing = makeReadiness({ planes, config, blocks, clock });
      const handler = () => this.#ready(missing);
      routes.push({ host, port, path: "/ready", probe: true, handler });
    }
    for (const { kind, host, port } of endpoints) {
      if (kind !== "pprof") continue;
      routes.push(...this.#profiles.map((route) => ({ host, port, ...route })));
    }
    this.#servers.apply(routes, shared);
    this.#stopping = false;
    this.#lameduckMs = Math.max(0, ...healths.map(({ lameduckMs }) => lameduckMs));
    this.#metrics.configure(config);
    status.config = config;
    this.#probed = healths.length > 0 ? config : null;
  }

  get http(): HttpContext {
    return this.#servers.context;
  }

  watchListeners(): void {
    if (this.#probed !== null) this.#probe.start(this.#probed);
    else this.#probe.stop();
  }

  async lameduck(): Promise<void> {
    this.#stopping = true;
    if (this.#lameduckMs === 0) return;
    const text = `plugin/health: stopping in ${this.#lameduckMs / 1000} s (lameduck)`;
    this.#options.log("info", text);
    await this.#options.clock.sleep(this.#lameduckMs);
  }

  async stop(limitMs: number): Promise<void> {
    this.#stopping = true;
    this.#probe.stop();
    await this.#servers.stop(limitMs);
  }

  get #localRoutes(): Pick<HttpRoute, "path" | "handler">[] {
    const { status, page } = this.#options;
    const route = { path: "/status", handler: () => status.respond() };
    if (page === undefined) return [route];
    const events = async (_: HttpRequest, connection: HttpConnection) =>
      (await page()).events(connection);
    return [
      route,
      { path: "/", handler: async () => await (await page()).document() },
      { path: "/events", handler: events },
    ];
  }

  async #health(): Promise<HttpReply> {
    const fault = await this.#probe.fault();
    return fault === null ? textReply(200, "OK") : textReply(503, `${fault}\n`);
  }

  async #ready(missing: () => Promise<string[]>): Promise<HttpReply> {
    if (this.#stopping) return textReply(503, "Shutting down\n");
    const names = await missing();
    return names.length === 0 ? textReply(200, "OK") : textReply(503, `${names.join("\n")}\n`);
  }
}

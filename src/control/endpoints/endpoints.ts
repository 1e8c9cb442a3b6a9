import type { Config } from "../../config/types.ts";
import type { LogLevel } from "../../engine/handler.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";
import { type HttpAddress, httpAddressText } from "../../plugins/http_address.ts";
import type { Libc } from "../../sys/libc.ts";
import type { DataPlane } from "../plane/data_plane.ts";
import { HealthProbe } from "./health_probe.ts";
import { type HttpReply, textReply } from "./http/message.ts";
import { type HttpRoute, HttpServers } from "./http_server.ts";
import { MetricsSource } from "./metrics_source.ts";
import { Readiness } from "./readiness.ts";
import type { SelfChecks } from "../plane/self_checks.ts";
import type { StatusSource } from "./status_source.ts";

/** What is told over HTTP, and of whom. */
export interface EndpointsOptions {
  planes: readonly DataPlane[];
  checks: SelfChecks;
  registry: MetricRegistry;
  log: (level: LogLevel, line: string) => void;
  build: { version: string; deno: string };
  /**
   * SO_MARK of the queries behind `/health`, where rules send the traffic of others elsewhere while
   * nodens does not answer. Default: none.
   */
  mark?: number;
  /** Where metrics are served besides what the Corefile says. */
  metricsAddresses: readonly HttpAddress[];
  /** Served as `/status` beside the metrics, to clients on the loopback interface. */
  status?: StatusSource;
  /** Most HTTP connections at a time, over all addresses; default: no such limit. */
  mostConnections?: number;
  /** Null if there is no FFI. */
  libc?: Libc | null;
}

/** Serves what `prometheus`, `health` and `ready` directives ask for. */
export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #servers: HttpServers;
  readonly #metrics: MetricsSource;
  readonly #probe: HealthProbe;
  /** Whose listeners `/health` tells of; null if nobody is to be told. */
  #probed: Config | null = null;
  #lameduckMs = 0;
  #stopping = false;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    const { planes, registry, build } = options;
    this.#servers = new HttpServers(options);
    this.#metrics = new MetricsSource(planes, registry, build);
    this.#probe = new HealthProbe(options);
  }

  /**
   * Takes over a configuration, at the start and at every reload: opens what is new, closes what is
   * gone, keeps the rest. Throws, and leaves everything as it was, where an address cannot be listened
   * on. `watchListeners` must follow once the listeners take queries in.
   *
   * @param shared - another nodens may have the same addresses, for a moment
   */
  apply(config: Config, shared = false): void {
    const endpoints = config.endpoints ?? [];
    const { metricsAddresses, status } = this.#options;
    const routes: HttpRoute[] = [];
    const serveMetrics = (address: HttpAddress) => {
      routes.push({ ...address, path: "/metrics", handler: this.#metrics.serve });
      if (status === undefined) return;
      const handler = () => status.respond();
      // Zones, upstreams and file names are nobody's business but the operator's.
      routes.push({ ...address, path: "/status", handler, localOnly: true });
    };
    metricsAddresses.forEach(serveMetrics);
    const ready = new Map<string, { address: HttpAddress; blocks: ReadyBlocks }>();
    let lameduckMs = 0;
    let health = false;
    for (const endpoint of endpoints) {
      const address = { host: endpoint.host, port: endpoint.port };
      if (endpoint.kind === "prometheus") {
        serveMetrics(address);
      } else if (endpoint.kind === "health") {
        health = true;
        lameduckMs = Math.max(lameduckMs, endpoint.lameduckMs);
        routes.push({ ...address, path: "/health", probe: true, handler: () => this.#health() });
      } else {
        const key = httpAddressText(address);
        const entry = ready.get(key) ?? { address, blocks: new Map() as ReadyBlocks };
        entry.blocks.set(endpoint.block, { continuously: endpoint.continuously });
        ready.set(key, entry);
      }
    }
    for (const { address, blocks } of ready.values()) {
      const readiness = new Readiness(this.#options.planes, config, blocks);
      routes.push({
        ...address,
        path: "/ready",
        probe: true,
        handler: () => this.#ready(readiness),
      });
    }
    this.#servers.apply(routes, shared);
    this.#stopping = false;
    this.#lameduckMs = lameduckMs;
    this.#metrics.configure(config);
    if (status !== undefined) status.config = config;
    this.#probed = health ? config : null;
  }

  /** The listeners of the configuration take queries in: `/health` has them asked from now on. */
  watchListeners(): void {
    if (this.#probed !== null) this.#probe.start(this.#probed);
    else this.#probe.stop();
  }

  /** Addresses that are listened on. */
  get addresses(): string[] {
    return this.#servers.addresses;
  }

  /** From now on not ready; resolves when others have had time to notice (`lameduck`). */
  async lameduck(): Promise<void> {
    this.#stopping = true;
    if (this.#lameduckMs === 0) return;
    const text = `plugin/health: stopping in ${this.#lameduckMs / 1000} s (lameduck)`;
    this.#options.log("info", text);
    await new Promise((resolve) => setTimeout(resolve, this.#lameduckMs));
  }

  /** Serves no more, until the next `apply`. */
  async stop(limitMs: number): Promise<void> {
    this.#stopping = true;
    this.#probe.stop();
    await this.#servers.stop(limitMs);
  }

  async #health(): Promise<HttpReply> {
    const fault = await this.#probe.fault();
    return fault === null ? textReply(200, "OK") : textReply(503, `${fault}\n`);
  }

  async #ready(readiness: Readiness): Promise<HttpReply> {
    if (this.#stopping) return textReply(503, "Shutting down\n");
    const missing = await readiness.missing();
    return missing.length === 0 ? textReply(200, "OK") : textReply(503, `${missing.join("\n")}\n`);
  }
}

type ReadyBlocks = Map<number, { continuously: boolean }>;

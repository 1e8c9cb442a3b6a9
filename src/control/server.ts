import type { LoadedConfig } from "../config/load.ts";
import type { Config } from "../config/types.ts";
import type { InheritedSource } from "../io/linux/listener_sockets.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import type { HttpAddress } from "../plugins/http_address.ts";
import { BOARD_BYTES } from "../plugins/loop/board.ts";
import { ChangeRefused, DataPlane, type PreparedChange } from "./data_plane.ts";
import { DeliveryGate } from "./delivery_gate.ts";
import type { Endpoints } from "./endpoints.ts";
import { HostsFiles } from "./hosts_files.ts";
import type { Logger } from "./logger.ts";
import type { Delivery, DriverKind } from "./messages.ts";
import { Persistence } from "./persistence.ts";
import { StatusSource } from "./status_source.ts";
import { Upstreams } from "./upstreams.ts";

/** Time that names among the upstreams have to be resolved before a reload goes on without. */
const RESOLVE_MS = 5000;
/** Time for the content of caches that do not stay to be written before a reload goes on. */
const SAVE_MS = 2000;
/** Time that queries in flight are given at stop: the longest that `forward` takes, and a little. */
const DRAIN_MS = 6000;
/** Time for each of the other steps of stopping. */
const STOP_MS = 2000;

const NO_MARKS = { upstream: 0, probe: 0 } as const;

/** What a server is made of. */
export interface ServerOptions {
  driver: DriverKind;
  /** Data planes that share the ports. */
  workers: number;
  /** Sockets that the process was started with; default: none. */
  inherited?: InheritedSource | null;
  registry: MetricRegistry;
  /** SO_MARK of queries to upstreams, and of those to its own listeners; default: none. */
  marks?: { upstream: number; probe: number };
  logger: Logger;
  /** The log takes the values of a line as well. */
  logsFields: boolean;
  /** Where metrics are served besides what the Corefile says. */
  metricsAddresses: readonly HttpAddress[];
  build: { version: string; deno: string };
  /** A data plane is dead and cannot be brought back: the process must end. */
  onDead: (why: string) => void;
  /** A forwarding loop was found (`loop`); the log says the rest. */
  onLoop?: (why: string) => void;
}

/**
 * All that serves: the data planes, and beside them what the control plane does for one
 * configuration. It changes over from one configuration to the next without losing a query.
 */
export class Server {
  readonly planes: readonly DataPlane[];
  readonly registry: MetricRegistry;
  readonly status: StatusSource;
  readonly #options: ServerOptions;
  readonly #persistence: Persistence;
  #config: Config;
  #endpoints: Endpoints | null = null;
  /** Between those who follow files and names of what is served, and the data planes. */
  #gate: DeliveryGate;
  #hosts: HostsFiles;
  #upstreams: Upstreams;

  constructor(config: Config, options: ServerOptions) {
    const { driver, workers, logger, logsFields, build, onDead } = options;
    const inherited = options.inherited ?? null;
    const onLoop = options.onLoop ?? (() => {});
    const probes = new SharedArrayBuffer(BOARD_BYTES);
    const { log } = logger;
    this.#config = config;
    this.#options = options;
    this.registry = options.registry;
    const { upstream: mark } = options.marks ?? NO_MARKS;
    this.planes = Array.from(
      { length: workers },
      () =>
        new DataPlane(config, { driver, inherited, log, logsFields, onDead, onLoop, probes, mark }),
    );
    this.status = new StatusSource(config, {
      version: build.version,
      driver,
      planes: this.planes,
      logger,
    });
    this.registry.onScrape((book) =>
      book.add("nodens_log_lines_dropped_total", {}, logger.droppedLines)
    );
    this.#gate = new DeliveryGate(this.planes);
    this.#hosts = this.#makeHosts(config, this.#gate);
    this.#upstreams = new Upstreams([this.#gate], log);
    this.#persistence = new Persistence(this.planes, log);
  }

  /** What is served. */
  get config(): Config {
    return this.#config;
  }

  /** Opens everything and serves. Throws an error that says what could not be opened. */
  async start(): Promise<void> {
    const { planes } = this;
    const config = this.#config;
    planes.forEach((plane, others) => plane.bind(others));
    for (const { block, position, data } of this.#hosts.read()) {
      for (const plane of planes) plane.deliver(block, position, data);
    }
    const starting = Promise.all(planes.map((plane) => plane.start()));
    // Loaded while the data planes start, which do not wait for it.
    const module = import("./endpoints.ts");
    await starting;
    const { Endpoints } = await module;
    const { logger, build, metricsAddresses } = this.#options;
    this.#endpoints = new Endpoints({
      planes,
      registry: this.registry,
      log: logger.log,
      build,
      metricsAddresses,
      mark: (this.#options.marks ?? NO_MARKS).probe,
      status: this.status,
    });
    this.#endpoints.apply(config);
    this.#hosts.start();
    this.#upstreams.start(config);
    this.#persistence.start(config);
  }

  /**
   * Serves another configuration from now on. Where something of it cannot be opened it throws an
   * error that says what, and the one before is served as if nothing had been.
   */
  async change({ config }: LoadedConfig): Promise<void> {
    const { log } = this.#options.logger;
    const gate = new DeliveryGate(this.planes);
    const hosts = this.#makeHosts(config, gate);
    const upstreams = new Upstreams([gate], log);
    const deliveries = await upstreams.prepare(config, this.#upstreams, RESOLVE_MS);
    const prepared: PreparedChange[] = [];
    let goOn: ((config: Config) => void) | null = null;
    try {
      this.planes.forEach((plane, others) => prepared.push(plane.prepare(config, others)));
      goOn = await this.#persistence.hold(config, SAVE_MS);
      deliveries.push(...hosts.read());
      this.#endpoints!.apply(config);
      this.#gate.hold();
      await this.#commit(prepared, deliveries);
    } catch (error) {
      // Only before a data plane has changed over; one of the portable driver is alone.
      this.#gate.open();
      prepared.forEach((change, i) => this.planes[i]!.discard(change));
      goOn?.(this.#config);
      // Its own servers may be on their way out still.
      if (error instanceof ChangeRefused) this.#endpoints!.apply(this.#config, true);
      await upstreams.stop();
      throw error;
    }
    this.#config = config;
    // The one before stays shut.
    this.#gate = gate;
    this.#hosts.stop();
    const old = this.#upstreams;
    this.#hosts = hosts;
    this.#upstreams = upstreams;
    hosts.start();
    upstreams.start(config);
    goOn(config);
    await old.stop();
  }

  /** Ends without a loss: takes no more in, answers what waits, keeps what is to be kept. */
  async stop(hurry: Promise<void>): Promise<void> {
    const { logger } = this.#options;
    const orHurry = (work: Promise<unknown>) => Promise.race([work, hurry]);
    if (this.#endpoints !== null) await orHurry(this.#endpoints.lameduck());
    await orHurry(Promise.all(this.planes.map((plane) => plane.drain(DRAIN_MS))));
    this.#hosts.stop();
    await orHurry(this.#upstreams.stop());
    // Before the data planes stop: they hold what is to be written.
    await orHurry(this.#persistence.stop(STOP_MS));
    await Promise.all([...this.planes, this.#endpoints].map((part) => part?.stop(STOP_MS)));
    await logger.flush(STOP_MS);
  }

  async #commit(prepared: readonly PreparedChange[], deliveries: readonly Delivery[]) {
    const { log } = this.#options.logger;
    await Promise.all(this.planes.map(async (plane, i) => {
      try {
        await plane.commit(prepared[i]!, deliveries);
      } catch (error) {
        if (error instanceof ChangeRefused) throw error;
        // It has failed or hangs, which its watch sees to; a new thread has the new configuration.
        log("error", `a data plane has not changed over: ${(error as Error).message}`);
      }
    }));
  }

  #makeHosts(config: Config, gate: DeliveryGate): HostsFiles {
    const { registry } = this;
    return new HostsFiles(config, { planes: [gate], registry, log: this.#options.logger.log });
  }
}

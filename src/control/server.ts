import type { LoadedConfig } from "../loading/load.ts";
import type { Config } from "../config/types.ts";
import type { BoundSocket, InheritedSource } from "../io/sockets.ts";
import { describeShares, type FileShares } from "../io/file_shares.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import { releaseBuffer } from "../base/transfer.ts";
import type { Companion, Delivery } from "../plugins/companion.ts";
import { COMPANIONS } from "../plugins/companions.ts";
import type { HttpAddress } from "../plugins/http_address.ts";
import { SHARED_BYTES } from "../plugins/shared_memory.ts";
import { reserveDescriptors } from "../sys/descriptor_table.ts";
import { openLibc } from "../sys/libc.ts";
import { ChangeRefused, DataPlane, type PreparedChange } from "./plane/data_plane.ts";
import { DeliveryGate } from "./plane/delivery_gate.ts";
import type { DataPlaneOptions } from "./plane/options.ts";
import type { Endpoints } from "./endpoints/endpoints.ts";
import { Followers } from "./followers.ts";
import { Keepers } from "./keepers.ts";
import { denoHost } from "./host_deno.ts";
import type { Logger } from "./log/logger.ts";
import { deliveriesForEach, type DriverKind, handedOver } from "./plane/messages.ts";
import { shareOwnFiles } from "./plane/own_files.ts";
import { SelfChecks } from "./plane/self_checks.ts";
import { SharedAddresses } from "./plane/shared_addresses.ts";
import { StatusSource } from "./endpoints/status_source.ts";
import { TlsThread } from "./encrypted/thread.ts";

/** Time for content that does not stay to be persisted before a reload goes on. */
const SAVE_MS = 2000;
/** Time that queries in flight are given at stop: the longest that `forward` takes, and a little. */
const DRAIN_MS = 6000;
/** Time for each of the other steps of stopping. */
const STOP_MS = 2000;

/** How often is looked whether the process beside this one has gone, and what it has written. */
const BESIDE_MS = 250;

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
  /** Another process has these addresses as well, HTTP's among them; default: nobody may. */
  beside?: boolean;
  logger: Logger;
  /** The log takes the values of a line as well. */
  logsFields: boolean;
  /** Where metrics are served besides what the Corefile says. */
  metricsAddresses: readonly HttpAddress[];
  build: { version: string; deno: string };
  /** A data plane is dead and cannot be brought back: the process must end. */
  onDead: (why: string) => void;
  /** A handler has found that serving on may do harm; the log says the rest. */
  onHarm?: (why: string) => void;
}

/**
 * All that serves: the data planes, and beside them what the control plane does for one
 * configuration. It changes over from one configuration to the next without losing a query.
 */
export class Server {
  readonly planes: readonly DataPlane[];
  /** What the data planes find out of themselves. */
  readonly checks: SelfChecks;
  readonly registry: MetricRegistry;
  readonly status: StatusSource;
  readonly tls: TlsThread;
  readonly #options: ServerOptions;
  readonly #files: FileShares;
  readonly #companions: readonly Companion[];
  readonly #keepers: Keepers;
  #config: Config;
  #endpoints: Endpoints | null = null;
  /** Between those who follow files and names of what is served, and the data planes. */
  #gate: DeliveryGate;
  #followers: Followers;
  /** Those of the configuration that is being changed to. */
  #nextFollowers: Followers | null = null;
  #besideTimer: ReturnType<typeof setTimeout> | undefined;
  /** What was bound when this process stopped. */
  #left: SharedAddresses | null = null;

  constructor(config: Config, options: ServerOptions) {
    const { driver, workers, logger, logsFields, build, onDead } = options;
    const inherited = options.inherited ?? null;
    const onHarm = options.onHarm ?? (() => {});
    const shared = new SharedArrayBuffer(SHARED_BYTES);
    const { log } = logger;
    this.#config = config;
    this.#options = options;
    this.registry = options.registry;
    const { upstream: mark } = options.marks ?? NO_MARKS;
    // A UDP and a TCP socket for each.
    const listeners = 2 * workers * config.listeners.length;
    const files = shareOwnFiles(driver, { planes: workers, listeners });
    this.#files = files;
    const shares = describeShares(files);
    if (shares !== null && driver === "linux") log("info", shares);
    this.tls = new TlsThread(log);
    const planeOptions: DataPlaneOptions = {
      driver,
      inherited,
      log,
      logsFields,
      onDead,
      onHarm,
      shared,
      mark,
      files,
      refill: async (config) => await this.#followersOf(config)?.again() ?? [],
      tls: this.tls,
    };
    this.planes = Array.from({ length: workers }, () => new DataPlane(config, planeOptions));
    this.checks = new SelfChecks(this.planes);
    this.status = new StatusSource(config, {
      version: build.version,
      driver,
      planes: this.planes,
      logger,
    });
    this.registry.onScrape((book) =>
      book.add("nodens_log_lines_dropped_total", {}, logger.droppedLines)
    );
    this.registry.onScrape((book) => this.tls.addMetrics(book));
    this.#gate = new DeliveryGate(this.planes);
    const services = {
      planes: this.planes,
      log,
      registry: this.registry,
      shared: options.beside ?? false,
      interfaces: () => denoHost.interfaces().map(({ address }) => address),
    };
    this.#companions = COMPANIONS.map((create) => create(services));
    this.#keepers = new Keepers(this.#companions);
    this.#followers = this.#follow(config, this.#gate, null);
  }

  /** What is served. */
  get config(): Config {
    return this.#config;
  }

  /**
   * Opens everything and serves. Throws an error that says what could not be opened.
   *
   * Sockets are opened last: from then on the kernel gives this process its share of the queries,
   * where another one has the same addresses.
   */
  async start(): Promise<void> {
    const { planes } = this;
    const config = this.#config;
    const { beside = false } = this.#options;
    for (const { block, position, data } of await this.#followers.prepare()) {
      this.#gate.deliver(block, position, data);
    }
    this.tls.configure(config);
    const { driver } = this.#options;
    const reserved = driver === "linux" && reserveDescriptors(openLibc(), this.#files.total);
    const starting = Promise.all(planes.map((plane) => plane.start()));
    // Loaded while the data planes start, which do not wait for it.
    const module = import("./endpoints/endpoints.ts");
    await starting;
    await reserved;
    const { Endpoints } = await module;
    const { logger, build, metricsAddresses } = this.#options;
    this.#endpoints = new Endpoints({
      planes,
      checks: this.checks,
      registry: this.registry,
      log: logger.log,
      build,
      metricsAddresses,
      mark: (this.#options.marks ?? NO_MARKS).probe,
      status: this.status,
      mostConnections: this.#files.http,
      libc: driver === "linux" ? openLibc() : null,
    });
    for (const plane of planes) plane.onRestarted = () => this.#keepers.restarted(plane);
    this.#keepers.start(config);
    // Answers that the other process has cached need not be asked for again.
    if (beside) await this.#keepers.settled();
    this.#endpoints.apply(config, beside);
    planes.forEach((plane, index) => plane.bind(index));
    this.#endpoints.watchListeners();
    this.#followers.start();
    if (beside) this.#watchBeside();
  }

  /**
   * Serves another configuration from now on. Where something of it cannot be opened it throws an
   * error that says what, and the one before is served as if nothing had been.
   */
  async change({ config }: LoadedConfig): Promise<void> {
    const gate = new DeliveryGate(this.planes);
    const followers = this.#follow(config, gate, this.#followers);
    const deliveries = await followers.prepare();
    const prepared: PreparedChange[] = [];
    let goOn: ((config: Config) => void) | null = null;
    try {
      this.planes.forEach((plane, others) => prepared.push(plane.prepare(config, others)));
      goOn = await this.#keepers.hold(config, SAVE_MS);
      // Another process with these addresses may have read the same Corefile first.
      this.#endpoints!.apply(config, this.hasNeighbours());
      // The TLS thread runs before its upstreams are used, and ends with their last stream.
      this.tls.configure(config);
      this.#gate.hold();
      this.#nextFollowers = followers;
      await this.#commit(prepared, deliveries);
    } catch (error) {
      // Only before a data plane has changed over; one of the portable driver is alone.
      this.tls.configure(this.#config);
      this.#gate.open();
      prepared.forEach((change, i) => this.planes[i]!.discard(change));
      goOn?.(this.#config);
      handedOver(deliveries).forEach(releaseBuffer);
      // Its own servers may be on their way out still.
      if (error instanceof ChangeRefused) this.#endpoints!.apply(this.#config, true);
      this.#nextFollowers = null;
      await followers.stop();
      throw error;
    }
    this.#config = config;
    this.#endpoints!.watchListeners();
    const stopped = this.#followers.stop();
    // It stays shut.
    this.#gate.drop();
    this.#gate = gate;
    this.#followers = followers;
    this.#nextFollowers = null;
    followers.start();
    goOn(config);
    await stopped;
  }

  /** Whether other processes accept queries at addresses of this one; also after `stop`. */
  hasNeighbours(): boolean {
    if (this.#options.driver !== "linux") return false;
    return (this.#left ?? this.#bound()).neighbours().length > 0;
  }

  /**
   * Ends without a loss: accepts no more queries, answers what waits, keeps what is to be kept.
   *
   * @param options - `succeeded`: another process accepts queries at the same addresses, so nobody
   * has to be told
   */
  async stop(hurry: Promise<void>, { succeeded = false } = {}): Promise<void> {
    const { logger } = this.#options;
    const orHurry = (work: Promise<unknown>) => Promise.race([work, hurry]);
    clearTimeout(this.#besideTimer);
    if (succeeded) {
      // First of all: the other one reads what is written, and answers for both over HTTP.
      await orHurry(
        Promise.all([this.#keepers.stop(STOP_MS), this.#endpoints?.stop(STOP_MS)]),
      );
    } else if (this.#endpoints !== null) {
      await orHurry(this.#endpoints.lameduck());
    }
    if (this.#options.driver === "linux") {
      const left = this.#left = this.#bound();
      await orHurry(left.turnConnectionsAway(this.#sockets));
    }
    await Promise.all(this.planes.map((plane) => plane.retire(STOP_MS)));
    await orHurry(Promise.all(this.planes.map((plane) => plane.drain(DRAIN_MS))));
    await orHurry(this.#followers.stop());
    // Before the data planes stop, which hold the content.
    await orHurry(this.#keepers.stop(STOP_MS));
    await Promise.all([...this.planes, this.#endpoints].map((part) => part?.stop(STOP_MS)));
    await this.tls.stop();
    await logger.flush(STOP_MS);
  }

  get #sockets(): BoundSocket[] {
    return this.planes.flatMap(({ sockets }) => sockets);
  }

  #bound(): SharedAddresses {
    return SharedAddresses.of(this.#sockets, this.#options.logger.log);
  }

  /** Reads what the process beside this one writes at its end, until it is gone. */
  #watchBeside(): void {
    this.#besideTimer = setTimeout(async () => {
      const gone = !this.hasNeighbours();
      await this.#keepers.follow();
      if (this.#left !== null) return;
      if (!gone) {
        this.#watchBeside();
        return;
      }
      this.#keepers.own();
      this.#options.logger.log("info", "the other process has stopped; serving alone");
    }, BESIDE_MS);
  }

  async #commit(prepared: readonly PreparedChange[], deliveries: readonly Delivery[]) {
    const { log } = this.#options.logger;
    const each = deliveriesForEach(deliveries, this.planes.length);
    await Promise.all(this.planes.map(async (plane, i) => {
      try {
        await plane.commit(prepared[i]!, each[i]!);
      } catch (error) {
        if (error instanceof ChangeRefused) throw error;
        // It has failed or hangs, which its watch sees to; a new thread has the new configuration.
        log("error", `a data plane has not changed over: ${(error as Error).message}`);
      }
    }));
  }

  #followersOf(config: Config): Followers | undefined {
    return [this.#followers, this.#nextFollowers].find((one) => one?.areOf(config)) ?? undefined;
  }

  #follow(config: Config, gate: DeliveryGate, previous: Followers | null): Followers {
    return new Followers(config, {
      companions: this.#companions,
      deliver: (block, position, data) => gate.deliver(block, position, data),
      previous,
    });
  }
}

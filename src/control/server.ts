import type { Cancel } from "../base/clock.ts";
import { loadAll } from "../base/lazy.ts";
import { releaseBuffer } from "../base/transfer.ts";
import type { Config } from "../config/types.ts";
import { describeShares, type FileShares, shareFiles } from "../io/file_shares.ts";
import type { LoadedConfig } from "../loading/load.ts";
import type { MetricRegistry } from "../metrics/registry.ts";
import type { Companion, CompanionServices, Delivery, Keeper } from "../plugins/companion.ts";
import { COMPANIONS } from "../plugins/companions.ts";
import type { HttpAddress } from "../plugins/http_address.ts";
import type { Verb } from "../plugins/verbs.ts";
import { SHARED_BYTES } from "../plugins/companions.ts";
import { reserveDescriptors } from "../sys/descriptor_limit.ts";
import { openLibc } from "../sys/libc.ts";
import type { ClientNames } from "./clients/client_names.ts";
import { raiseFileLimit } from "../sys/descriptor_limit.ts";
import { Followers } from "./followers.ts";
import { TlsThread } from "./encrypted/thread.ts";
import type { Endpoints } from "./endpoints/endpoints.ts";
import type { HttpContext } from "./endpoints/http/connection.ts";
import { StatusSource } from "./endpoints/status_source.ts";
import type { Page, PageOptions } from "./page/page.ts";
import { denoHost } from "./host_deno.ts";
import type { Logger } from "./log/logger.ts";
import type { TopSource } from "./observe/top_source.ts";
import {
  ChangeRefused,
  DataPlane,
  type DataPlaneOptions,
  type PreparedChange,
} from "./plane/data_plane.ts";
import { buffersOf, deliveriesForEach, DeliveryGate } from "./plane/deliveries.ts";
import { SelfChecks } from "./plane/self_checks.ts";
import { SharedAddresses } from "./plane/shared_addresses.ts";
import { startBeside } from "./plane/start_beside.ts";

/** For persisting data of removed plugins. */
const SAVE_MS = 2000;
/** For queries in flight; more than `forward` needs. */
const DRAIN_MS = 6000;
/** Each other step of stopping. */
const STOP_MS = 2000;
/** Limit of open files that the runtime sets without FFI, or more. */
const PORTABLE_FILES = 4096;

const BESIDE_MS = 250;

/** `Server` options. */
export interface ServerOptions extends
  Pick<
    DataPlaneOptions,
    | "driver"
    | "inherited"
    | "logsFields"
    | "observes"
    | "kernelHits"
    | "onDead"
    | "onHarm"
    | "clock"
  > {
  workers: number;
  registry: MetricRegistry;
  /** SO_MARK of queries to upstreams, and to its own listeners. */
  marks: { upstream: number; probe: number };
  /** Whether another process has these addresses, including HTTP. */
  isBeside: () => boolean;
  logger: Logger;
  metricsAddresses: readonly HttpAddress[];
  /** Absent: no page for operators. */
  page?: Pick<PageOptions, "audience" | "corefile">;
  build: { version: string; deno: string };
}

/** Serving process. Reloads lose no query. */
export class Server {
  readonly planes: readonly DataPlane[];
  readonly checks: SelfChecks;
  readonly status: StatusSource;
  readonly tls: TlsThread;
  /** Null unless clients have names (`-clients`). */
  clients: ClientNames | null = null;
  readonly #options: ServerOptions;
  readonly #files: FileShares;
  readonly #companions = new Map<string, Companion>();
  readonly #services: CompanionServices;
  readonly #keepers: readonly Keeper[];
  #config: Config;
  #endpoints: Endpoints | null = null;
  #top: Promise<TopSource> | null = null;
  #page: Promise<Page> | null = null;
  #gate: DeliveryGate;
  #followers!: Followers;
  #nextFollowers: Followers | null = null;
  #cancelBeside: Cancel = () => {};
  #ownAddresses: SharedAddresses | null = null;

  constructor(config: Config, options: ServerOptions) {
    const { driver, workers, logger, registry, build, clock } = options;
    const { log } = logger;
    const shared = new SharedArrayBuffer(SHARED_BYTES);
    this.#config = config;
    this.#options = options;
    const listeners = 2 * workers * config.listeners.length;
    const limit = driver === "linux" ? raiseFileLimit(openLibc()) : PORTABLE_FILES;
    this.#files = shareFiles(limit, { planes: workers, listeners });
    const shares = describeShares(this.#files);
    if (shares !== null && driver === "linux") log("info", shares);
    this.tls = new TlsThread(log, clock);
    this.planes = Array.from({ length: workers }, () =>
      new DataPlane(config, {
        ...options,
        log,
        shared,
        mark: options.marks.upstream,
        files: this.#files,
        refill: async (config) => await this.#followersOf(config)?.again() ?? [],
        tls: this.tls,
      }));
    const { planes } = this;
    this.checks = new SelfChecks(planes);
    const { version } = build;
    this.status = new StatusSource(config, { version, driver, planes, logger, clock });
    registry.onScrape((book) => {
      book.add("nodens_log_lines_dropped_total", {}, logger.droppedLines);
      this.tls.addMetrics(book);
    });
    this.#services = {
      planes,
      log,
      registry,
      shared: options.isBeside(),
      interfaces: () => denoHost.interfaces().map(({ address }) => address),
    };
    this.#createCompanions();
    this.#keepers = [...this.#companions.values()].flatMap(({ keeper }) => keeper ?? []);
    this.#gate = new DeliveryGate(planes);
  }

  get verbs(): readonly Verb[] {
    return [...this.#companions.values()].flatMap(({ verbs }) => verbs ?? []);
  }

  /** Shared by all viewers. */
  top(): Promise<TopSource> {
    // On demand: serving must start fast.
    return this.#top ??= import("./observe/top_source.ts").then(({ TopSource }) =>
      new TopSource({
        planes: this.planes,
        status: () => this.status.collect(),
        nameClient: this.nameClient,
        clock: this.#options.clock,
      })
    );
  }

  readonly nameClient = (address: string): string | null => this.clients?.nameOf(address) ?? null;

  /** Null before `start`. */
  get http(): HttpContext | null {
    return this.#endpoints?.http ?? null;
  }

  get config(): Config {
    return this.#config;
  }

  /** Serves, or throws naming the cause. Sockets come last: they get queries at once. */
  async start(): Promise<void> {
    const { planes, checks, status } = this;
    const config = this.#config;
    const { driver, logger, registry, build, metricsAddresses, isBeside, marks, page } =
      this.#options;
    await this.#addCompanions(config);
    this.#followers = this.#follow(config, this.#gate, null);
    for (const delivery of await this.#followers.prepare()) this.#gate.deliver(delivery);
    this.tls.configure(config);
    const libc = driver === "linux" ? openLibc() : null;
    const reserved = libc !== null && reserveDescriptors(libc, this.#files.total);
    const starting = Promise.all(planes.map((plane) => plane.start()));
    const module = import("./endpoints/endpoints.ts");
    await starting;
    await reserved;
    const { Endpoints } = await module;
    this.#endpoints = new Endpoints({
      planes,
      checks,
      registry,
      log: logger.log,
      build,
      metricsAddresses,
      mark: marks.probe,
      status,
      ...page && { page: () => this.#page ??= this.#loadPage(page) },
      maxConnections: this.#files.http,
      libc,
      clock: this.#options.clock,
    });
    for (const plane of planes) {
      plane.onRestarted = () => this.#keepers.forEach((keeper) => keeper.restarted(plane));
    }
    for (const keeper of this.#keepers) keeper.start(config);
    if (isBeside()) await this.#allKeepers((keeper) => keeper.settled());
    const endpoints = this.#endpoints;
    const beside = await startBeside((beside) => {
      endpoints.apply(config, beside);
      return beside;
    }, { isBeside, clock: this.#options.clock });
    planes.forEach((plane, index) => plane.bind(index));
    this.#endpoints.watchListeners();
    this.#followers.start();
    if (beside) this.#watchBeside();
  }

  async change({ config }: LoadedConfig): Promise<void> {
    await this.#addCompanions(config);
    await Promise.all(this.planes.map((plane) => plane.load(config)));
    const gate = new DeliveryGate(this.planes);
    const followers = this.#follow(config, gate, this.#followers);
    const deliveries = await followers.prepare();
    const prepared: PreparedChange[] = [];
    let resumes: ((config: Config) => void)[] = [];
    try {
      this.planes.forEach((plane, index) => prepared.push(plane.prepare(config, index)));
      resumes = await this.#allKeepers((keeper) => keeper.hold(config, SAVE_MS));
      // Another process here may have reloaded first.
      this.#endpoints!.apply(config, this.hasNeighbours());
      // The TLS thread starts before its first stream and ends after its last.
      this.tls.configure(config);
      this.#gate.shut();
      this.#nextFollowers = followers;
      await this.#commit(prepared, deliveries);
    } catch (error) {
      // Only the portable driver refuses, and it has a single data plane.
      this.tls.configure(this.#config);
      this.#gate.open();
      prepared.forEach((change, i) => this.planes[i]!.discard(change));
      resumes.forEach((resume) => resume(this.#config));
      buffersOf(deliveries).forEach(releaseBuffer);
      // Shared: its closing servers may linger.
      if (error instanceof ChangeRefused) this.#endpoints!.apply(this.#config, true);
      this.#nextFollowers = null;
      await followers.stop();
      throw error;
    }
    this.#config = config;
    this.#endpoints!.watchListeners();
    const stopped = this.#followers.stop();
    this.#gate.drop();
    this.#gate = gate;
    this.#followers = followers;
    this.#nextFollowers = null;
    followers.start();
    resumes.forEach((resume) => resume(config));
    await stopped;
  }

  hasNeighbours(): boolean {
    if (this.#options.driver !== "linux") return false;
    return (this.#ownAddresses ?? this.#boundAddresses()).neighbours().length > 0;
  }

  /**
   * Persists and stops without losing a query, or at once after `hurry`. `succeeded`: another
   * process serves the addresses.
   */
  async stop(hurry: Promise<void>, { succeeded = false } = {}): Promise<void> {
    const { driver, logger } = this.#options;
    const { planes } = this;
    const orHurry = (work: Promise<unknown> | undefined) => Promise.race([work, hurry]);
    const persist = () => this.#allKeepers((keeper) => keeper.stop(STOP_MS));
    this.#cancelBeside();
    if (succeeded) {
      // The other process reads the data and answers HTTP.
      await orHurry(Promise.all([persist(), this.#endpoints?.stop(STOP_MS)]));
    } else await orHurry(this.#endpoints?.lameduck());
    if (driver === "linux") {
      this.#ownAddresses = this.#boundAddresses();
      await orHurry(this.#ownAddresses.divertConnections(planes.flatMap(({ sockets }) => sockets)));
    }
    await Promise.all(planes.map((plane) => plane.retire(STOP_MS)));
    await orHurry(Promise.all(planes.map((plane) => plane.drain(DRAIN_MS))));
    await orHurry(this.#followers.stop());
    await orHurry(persist());
    await Promise.all([...planes, this.#endpoints].map((part) => part?.stop(STOP_MS)));
    await this.tls.stop();
    await logger.flush(STOP_MS);
  }

  async #loadPage(options: Pick<PageOptions, "audience" | "corefile">): Promise<Page> {
    const { Page } = await import("./page/page.ts");
    return new Page({
      ...options,
      snapshot: async () => await (await this.top()).snapshot(),
      reload: () => this.status.reload,
      ffi: this.#options.driver === "linux",
      clock: this.#options.clock,
      onFailure: this.#endpoints!.http.counts.handlerFailed,
    });
  }

  #boundAddresses(): SharedAddresses {
    const sockets = this.planes.flatMap((plane) => plane.sockets);
    return SharedAddresses.of(sockets, this.#options.logger.log, this.#options.clock);
  }

  #watchBeside(): void {
    this.#cancelBeside = this.#options.clock.after(BESIDE_MS, async () => {
      const gone = !this.hasNeighbours();
      await this.#allKeepers((keeper) => keeper.follow());
      if (this.#ownAddresses !== null) return;
      if (!gone) return this.#watchBeside();
      this.#keepers.forEach((keeper) => keeper.own());
      this.#options.logger.log("info", "the other process has stopped; serving alone");
    });
  }

  async #commit(prepared: readonly PreparedChange[], deliveries: readonly Delivery[]) {
    const each = deliveriesForEach(deliveries, this.planes.length);
    await Promise.all(this.planes.map(async (plane, i) => {
      try {
        await plane.commit(prepared[i]!, each[i]!);
      } catch (error) {
        if (error instanceof ChangeRefused) throw error;
        const { log } = this.#options.logger;
        log("error", `a data plane has not changed over: ${(error as Error).message}`);
      }
    }));
  }

  #allKeepers<T>(work: (keeper: Keeper) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#keepers.map(work));
  }

  #followersOf(config: Config): Followers | undefined {
    return [this.#followers, this.#nextFollowers].find((one) => one?.areOf(config)) ?? undefined;
  }

  /** Of plugins that are named for the first time. */
  async #addCompanions({ blocks }: Config): Promise<void> {
    const named = blocks.flatMap(({ plugins }) => plugins.map(({ name }) => name));
    await loadAll([...new Set(named)].flatMap((name) => COMPANIONS.get(name) ?? []));
    this.#createCompanions();
  }

  #createCompanions(): void {
    for (const [plugin, create] of COMPANIONS) {
      if (!create.isLoaded || this.#companions.has(plugin)) continue;
      this.#companions.set(plugin, create.value(this.#services));
    }
  }

  #follow(config: Config, gate: DeliveryGate, previous: Followers | null): Followers {
    return new Followers(config, {
      companions: [...this.#companions.values()],
      deliver: (block, position, data) => gate.deliver({ block, position, data }),
      previous,
    });
  }
}

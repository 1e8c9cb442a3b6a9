import type { Cancel, Clock } from "../../base/clock.ts";
import { doneWithin } from "../../base/deadline.ts";
import { copyBuffer } from "../../base/transfer.ts";
import { alignListeners } from "../../config/align.ts";
import type { Config } from "../../config/types.ts";
import { COUNTER, type CounterSeries } from "../../engine/counters.ts";
import type { AskReply, ExplainReply, ExplainRequest } from "../../engine/explain/types.ts";
import type { ObserveRequest } from "../../engine/observe/requests.ts";
import type { LogFields, LogLevel } from "../../engine/handler.ts";
import { serverLabel } from "../../engine/served.ts";
import type { CheckPlan, ListFaults } from "../../io/check_plan.ts";
import type { FileShares } from "../../io/file_shares.ts";
import type { KernelMaps } from "../../io/kernel_maps.ts";
import { ListenerSockets } from "../../io/linux/listener_sockets.ts";
import type { BoundSocket, InheritedSource } from "../../io/sockets.ts";
import type { Delivery } from "../../plugins/companion.ts";
import { handlerParts } from "../../plugins/config_traits.ts";
import { EFD_NONBLOCK } from "../../sys/constants.ts";
import { type Libc, openLibc } from "../../sys/libc.ts";
import { requireMarks } from "../../sys/socket_options.ts";
import type { ProfileAction, ProfileResult } from "../../sys/profiler.ts";
import type { LaneState } from "../encrypted/messages.ts";
import type { LaneUser, TlsThread } from "../encrypted/thread.ts";
import { CHECK_MS, ThreadWatch } from "../thread_watch.ts";
import { buffersOf, handlerKey } from "./deliveries.ts";
import { dataPlaneWorker } from "./early_worker.ts";
import type { DataPlaneMessage, DriverKind, StartMessage } from "./messages.ts";
import { PlanePort } from "./plane_port.ts";

/** Doubles: engine counters, hundreds of zones and upstreams. */
const COUNTERS = 65536;
const CONFIGURE_MS = 5000;
const CHECK_PLAN_MS = 3000;
/** Later deliveries reach the running thread. */
const REFILL_MS = 10_000;
const MAX_RESTARTS = 5;
const RESTARTS_WITHIN_MS = 60_000;

/** `DataPlane` options. */
export interface DataPlaneOptions {
  driver: DriverKind;
  inherited: InheritedSource | null;
  log: (level: LogLevel, line: string, fields?: LogFields, timeMs?: number) => void;
  logsFields: boolean;
  /** For `top` and `watch`. */
  observes: boolean;
  /** SO_MARK towards upstreams (linux driver, not TLS); needs NET_ADMIN. 0: none. */
  mark: number;
  /** Hits may be answered in the kernel (`openKernel`). */
  kernelHits?: boolean;
  files: FileShares;
  onDead: (why: string) => void;
  onHarm: (why: string) => void;
  /** Buffers for a replacement thread's handlers. */
  refill: (config: Config) => Promise<readonly Delivery[]>;
  shared: SharedArrayBuffer;
  tls: TlsThread;
  clock: Clock;
}

/** Rejected configuration; the previous one stays. */
export class ChangeRefused extends Error {}

/** A configuration with open sockets, ready for `commit`. */
export type PreparedChange = ReturnType<DataPlane["prepare"]>;

/** Data plane. Owns the sockets: queries wait while a thread is replaced. */
export class DataPlane implements LaneUser {
  readonly values = new Float64Array(new SharedArrayBuffer(COUNTERS * 8));
  readonly places: CounterSeries[] = [];
  restarts = 0;
  laneFd = -1;
  onRestarted: () => void = () => {};
  onUnwritable: (list: string) => void = () => {};
  #config: Config;
  readonly #options: DataPlaneOptions;
  readonly #libc: Libc | null;
  readonly #sockets: ListenerSockets | null;
  readonly #watch: ThreadWatch;
  #deliveries = new Map<string, Delivery>();
  readonly #port: PlanePort;
  #worker: Worker | null = null;
  #checks: CheckPlan | null = null;
  #debug: boolean | null = null;
  #clients: ArrayBuffer | null = null;
  #kernelMaps: KernelMaps | null = null;
  #placesKnown: PromiseWithResolvers<void> | null = null;
  #endWatch: Cancel | null = null;
  #restartedMs: number[] = [];
  #retired = false;
  #stopped: PromiseWithResolvers<void> | null = null;

  constructor(config: Config, options: DataPlaneOptions) {
    const { driver, inherited, clock } = options;
    this.#config = config;
    this.#options = options;
    this.#watch = new ThreadWatch(this.values, clock);
    this.#libc = driver === "linux" ? openLibc() : null;
    this.#port = new PlanePort(this.#libc, clock);
    this.#sockets = this.#libc === null ? null : new ListenerSockets(this.#libc, inherited, clock);
  }

  start(): Promise<void> {
    const { driver, files, logsFields, observes, mark, kernelHits = false, shared, tls } =
      this.#options;
    if (this.#libc !== null && this.laneFd < 0) {
      if (mark !== 0) requireMarks(this.#libc, mark);
      this.#port.wakeFd = this.#libc.eventfd(0, EFD_NONBLOCK);
      this.laneFd = this.#libc.eventfd(0, EFD_NONBLOCK);
    }
    const ready = Promise.withResolvers<void>();
    const worker = dataPlaneWorker();
    this.#worker = worker;
    const lane = tls.join(this);
    worker.onmessage = ({ data }: MessageEvent<DataPlaneMessage>) => this.#receive(data, ready);
    worker.onerror = (event) => {
      event.preventDefault();
      ready.reject(new Error(event.message));
      this.#died(`the data plane failed: ${event.message}`);
    };
    const deliveries = [...this.#deliveries.values()];
    const clients = this.#clients === null ? null : copyBuffer(this.#clients);
    const message: StartMessage = {
      driver,
      config: this.#config,
      sockets: this.#retired ? [] : this.sockets,
      wakeFd: this.#port.wakeFd,
      laneFd: this.laneFd,
      lane,
      port: this.#port.connect(),
      counters: this.values.buffer,
      logsFields,
      observes,
      mark,
      files,
      shared,
      places: this.places,
      deliveries,
      checks: this.#checks,
      clients,
      kernelHits,
      kernelMaps: this.#kernelMaps,
    };
    const buffers = [...buffersOf(deliveries), ...clients === null ? [] : [clients]];
    worker.postMessage(message, [message.port, ...portsOf(lane), ...buffers]);
    this.#deliveries = this.#repeatable(deliveries);
    this.#watch.begin(false);
    this.#endWatch ??= this.#options.clock.every(CHECK_MS, () => {
      const fault = this.#watch.check();
      if (fault === null) return;
      this.#endWatch?.();
      this.#options.onDead(`the data plane ${fault}`);
    });
    return ready.promise;
  }

  #receive(message: DataPlaneMessage, ready: PromiseWithResolvers<void>): void {
    const { log, onHarm } = this.#options;
    switch (message.type) {
      case "ready":
        this.#watch.begin(true);
        if (this.#debug !== null) this.setDebug(this.#debug);
        return ready.resolve();
      case "places":
        this.places.push(...message.places);
        if (this.#lacksPlaces) return;
        this.#placesKnown?.resolve();
        this.#placesKnown = null;
        return;
      case "unable":
        return ready.reject(new Error(message.error));
      case "log":
        for (const { level, line, fields } of message.lines) {
          log(level, line, fields, message.timeMs);
        }
        this.values[COUNTER.LOG_WRITTEN]! += message.bytes;
        return;
      case "answered":
        return this.#port.answered(message.id, message.answer);
      case "harm":
        return onHarm(message.why);
      case "unwritable":
        return this.onUnwritable(message.list);
      case "stopped":
        this.#stopped?.resolve();
    }
  }

  /** Opens sockets, served at once by a running thread. Throws with the remedy. */
  bind(index = 0): void {
    if (this.#sockets === null) return;
    this.#sockets.open(this.#config.listeners, index);
    this.#port.send({ type: "serve", sockets: this.sockets });
  }

  get sockets(): BoundSocket[] {
    return this.#sockets?.all ?? [];
  }

  /** Loads what handlers of `config` need, or throws. A thread that just restarts loads later. */
  async load(config: Config): Promise<void> {
    const request = { type: "load", parts: handlerParts(config) } as const;
    const done = await this.#port.request(request, CONFIGURE_MS).catch(() => true);
    if (typeof done === "string") throw new Error(done);
  }

  /** Opens the sockets of `next`, or throws. `commit` or `discard` must follow. */
  prepare(next: Config, index = 0): { config: Config; opened: readonly BoundSocket[] } {
    const config = alignListeners(next, this.#config.listeners);
    return { config, opened: this.#sockets?.prepare(config.listeners, index) ?? [] };
  }

  discard({ opened }: PreparedChange): void {
    this.#sockets?.discard(opened);
  }

  /** Changes the configuration after `deliveries`. Can throw `ChangeRefused`. */
  async commit(
    { config, opened }: PreparedChange,
    deliveries: readonly Delivery[],
  ): Promise<void> {
    const closing = this.#sockets?.change(config.listeners, opened) ?? [];
    const before = { config: this.#config, deliveries: this.#deliveries };
    this.#config = config;
    this.#deliveries = this.#repeatable(deliveries);
    const request = { type: "configure", config, deliveries, opened, closing } as const;
    let done: unknown;
    try {
      done = await this.#port.request(request, CONFIGURE_MS, buffersOf(deliveries));
    } finally {
      this.#sockets?.close(closing);
    }
    if (typeof done === "string") {
      this.#config = before.config;
      this.#deliveries = before.deliveries;
      throw new ChangeRefused(done);
    }
    if (done !== true) throw new Error("a data plane could not change over (see the log above)");
    if (this.#debug !== null) this.setDebug(this.#debug);
  }

  /** Diverts new queries; closes listeners once queued connections are accepted. */
  async retire(limitMs: number): Promise<void> {
    this.#retired = true;
    await this.#port.request({ type: "retire" }, limitMs).catch(() => {});
    this.#sockets?.closeListening();
  }

  async drain(limitMs: number): Promise<void> {
    await this.#port.request({ type: "drain" }, limitMs).catch(() => {});
  }

  /** Also for replacement threads (buffers: from `refill`). */
  deliver(delivery: Delivery): void {
    for (const [key, kept] of this.#repeatable([delivery])) this.#deliveries.set(key, kept);
    this.#port.send({ type: "deliver", ...delivery }, buffersOf([delivery]));
  }

  /** Without buffers, by handler. */
  #repeatable(deliveries: readonly Delivery[]): Map<string, Delivery> {
    return new Map(
      deliveries
        .filter(({ data }) => this.#worker === null || !(data instanceof ArrayBuffer))
        .map((delivery) => [handlerKey(delivery), delivery]),
    );
  }

  /** Rejects after `limitMs` or the thread's end. */
  ask(
    target: { block: number; position: number; request: unknown },
    limitMs: number,
  ): Promise<unknown> {
    return this.#port.request({ type: "ask", ...target }, limitMs);
  }

  /** Predicts a query's outcome. Rejects like `ask`; undefined if that throws. */
  explain(request: ExplainRequest, limitMs: number): Promise<ExplainReply | undefined> {
    const reply = this.#port.request({ type: "explain", request }, limitMs);
    return reply as Promise<ExplainReply | undefined>;
  }

  /** Asks a query; null if it is not admitted. Rejects like `ask`; undefined if that throws. */
  query(request: ExplainRequest, limitMs: number): Promise<AskReply | null | undefined> {
    const reply = this.#port.request({ type: "query", request }, limitMs);
    return reply as Promise<AskReply | null | undefined>;
  }

  /** Rejects like `ask`. */
  observe(request: ObserveRequest, limitMs: number): Promise<unknown> {
    return this.#port.request({ type: "observe", request }, limitMs);
  }

  /** Also in replacement threads. Resolves after a round. */
  check(plan: CheckPlan): Promise<ListFaults> {
    this.#checks = plan;
    return this.#port.request({ type: "check", plan }, CHECK_PLAN_MS) as Promise<ListFaults>;
  }

  /** Starts or ends a profile. Rejects like `ask`. */
  profile(action: ProfileAction, limitMs: number): Promise<ProfileResult> {
    return this.#port.request({ type: "profile", action }, limitMs) as Promise<ProfileResult>;
  }

  async stop(limitMs: number): Promise<void> {
    this.#endWatch?.();
    this.#stopped = Promise.withResolvers();
    if (this.#worker === null) return;
    this.#port.send({ type: "stop" });
    await doneWithin(this.#stopped.promise, limitMs, this.#options.clock);
    this.#end();
    this.#sockets?.closeAll();
    this.#libc?.close(this.#port.wakeFd);
    const left = await this.#options.tls.leave(this);
    if (left) this.#libc?.close(this.laneFd);
  }

  /** Null: as configured. */
  setDebug(debug: boolean | null): void {
    this.#debug = debug;
    this.#port.send({ type: "debug", debug: debug ?? this.#config.debug });
  }

  /** Sets client names (`buildClientTable`), also for replacement threads. */
  nameClients(table: ArrayBuffer): void {
    this.#clients = table;
    const copy = copyBuffer(table);
    this.#port.send({ type: "clients", table: copy }, [copy]);
  }

  /** Publishes hits in these maps, also from replacement threads; null for none. */
  openKernel(maps: KernelMaps | null): void {
    this.#kernelMaps = maps;
    this.#port.send({ type: "kernel", maps });
  }

  /** Counts answers of the kernel until now, within `limitMs`. */
  async collectKernel(limitMs: number): Promise<void> {
    if (this.#kernelMaps === null) return;
    await this.#port.request({ type: "collect" }, limitMs).catch(() => {});
  }

  /** Waits until `places` is complete, at most `limitMs`. */
  async placesKnown(limitMs: number): Promise<void> {
    if (!this.#lacksPlaces) return;
    this.#placesKnown ??= Promise.withResolvers();
    await doneWithin(this.#placesKnown.promise, limitMs, this.#options.clock);
  }

  get #lacksPlaces(): boolean {
    return this.places.length < this.values[COUNTER.SERIES]!;
  }

  relink(lane: LaneState): void {
    this.#port.send({ type: "lane", lane }, portsOf(lane));
  }

  get heartbeatAgeMs(): number {
    return this.#watch.ageMs;
  }

  /** Datagrams dropped for full buffers, by listener. */
  *socketDrops(): Generator<{ server: string; drops: number }> {
    for (const { listener, drops } of this.#sockets?.drops() ?? []) {
      const { address, port } = this.#config.listeners[listener]!;
      yield { server: serverLabel(address, port), drops };
    }
  }

  provoke(how: "throw" | "hang"): void {
    this.#port.send({ type: "fail", how });
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#port.disconnect();
  }

  #died(why: string): void {
    if (this.#stopped !== null) return this.#stopped.resolve();
    this.#end();
    const { log, onDead, tls } = this.#options;
    void tls.leave(this);
    const nowMs = this.#options.clock.now();
    this.#restartedMs = this.#restartedMs.filter((at) => nowMs - at < RESTARTS_WITHIN_MS);
    if (this.#restartedMs.push(nowMs) > MAX_RESTARTS) {
      return onDead(`${why}; it was restarted ${MAX_RESTARTS} times within a minute`);
    }
    this.restarts++;
    log("error", `${why}; restarting it`);
    this.#watch.begin(false);
    this.#refill().then(() => this.#stopped === null ? this.start() : undefined).then(
      () => this.onRestarted(),
      (error: Error) => onDead(error.message),
    );
  }

  async #refill(): Promise<void> {
    const config = this.#config;
    const { refill, log } = this.#options;
    const refilled = refill(config).then((deliveries) => {
      // A concurrent reload has sent its own.
      if (this.#config === config) deliveries.forEach((delivery) => this.deliver(delivery));
    });
    if (await doneWithin(refilled, REFILL_MS, this.#options.clock)) return;
    log("error", `hosts files were not read within ${REFILL_MS / 1000} s; serving without them`);
  }
}

function portsOf({ link }: LaneState): MessagePort[] {
  return link === null ? [] : [link.port];
}

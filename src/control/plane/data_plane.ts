import type { BoundSocket } from "../../io/sockets.ts";
import { doneWithin } from "../../base/deadline.ts";
import { alignListeners } from "../../config/align.ts";
import type { Config } from "../../config/types.ts";
import { COUNTER, type CounterPlace } from "../../engine/counters.ts";
import { serverLabel } from "../../engine/served.ts";
import { ListenerSockets } from "../../io/linux/listener_sockets.ts";
import type { CheckPlan, ListFaults } from "../../io/check_plan.ts";
import { EFD_NONBLOCK } from "../../sys/constants.ts";
import { type Libc, openLibc } from "../../sys/libc.ts";
import { requireMarks } from "../../sys/mark.ts";
import type { Delivery } from "../../plugins/companion.ts";
import { SHARED_BYTES } from "../../plugins/shared_memory.ts";
import { CHECK_MS, HeartbeatWatch } from "./heartbeat_watch.ts";
import { Deliveries } from "./deliveries.ts";
import type { DataPlaneOptions } from "./options.ts";
import { shareOwnFiles } from "./own_files.ts";
import { PlaneRequests } from "./plane_requests.ts";
import { postToPlane } from "./post_to_plane.ts";
import { MAX_RESTARTS, RestartLimit } from "./restart_limit.ts";
import type { LaneState } from "../encrypted/messages.ts";
import type { LaneUser, TlsThread } from "../encrypted/thread.ts";
import {
  type ControlMessage,
  type DataPlaneMessage,
  handedOver,
  type StartMessage,
} from "./messages.ts";

/** Doubles in the shared array: the engine's counters, and hundreds of zones and upstreams. */
const COUNTERS = 65536;
/** A data plane that takes this long to take over a configuration has failed. */
const CONFIGURE_MS = 5000;
/** Time for a round of checks, which takes less than a second. */
const CHECK_PLAN_MS = 3000;

/** Time that `refill` has until a thread is started without what it gives, which comes later. */
const REFILL_MS = 10_000;

/** A configuration was not taken over, and the one before is served. */
export class ChangeRefused extends Error {}

/** A configuration that a data plane can take over at any moment: what it needs is open. */
export interface PreparedChange {
  readonly config: Config;
  readonly opened: readonly BoundSocket[];
}

/**
 * One data plane as the control plane sees it: its thread, its sockets, its counters, and the watch
 * that notices when it throws or hangs.
 *
 * Sockets belong to this object and not to the thread, so a thread that died is replaced without
 * closing them; queries wait in the kernel meanwhile.
 */
export class DataPlane implements LaneUser {
  readonly values = new Float64Array(
    new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT),
  );
  readonly places: CounterPlace[] = [];
  /** Called once a thread that took the place of a dead one serves. */
  onRestarted: () => void = () => {};
  /** Called with the name of a list of `-m recent` that cannot be written to any more. */
  onUnwritable: (list: string) => void = () => {};
  #config: Config;
  readonly #options: DataPlaneOptions;
  readonly #libc: Libc | null;
  readonly #shared: SharedArrayBuffer;
  readonly #sockets: ListenerSockets | null;
  #wakeFd = -1;
  #laneFd = -1;
  #worker: Worker | null = null;
  #port: MessagePort | null = null;
  readonly #tls: TlsThread | null;
  readonly #heartbeat = new HeartbeatWatch(this.values);
  #checks: CheckPlan | null = null;
  #checking: ReturnType<typeof setInterval> | undefined;
  readonly #restarts = new RestartLimit();
  /** Queries are taken in: a thread that takes the place of a dead one does what that did. */
  #serves = true;
  #stopped: PromiseWithResolvers<void> | null = null;
  #ended = false;
  readonly #deliveries = new Deliveries();
  readonly #requests = new PlaneRequests();

  constructor(config: Config, options: DataPlaneOptions) {
    this.#config = config;
    this.#options = options;
    this.#tls = options.tls ?? null;
    this.#shared = options.shared ?? new SharedArrayBuffer(SHARED_BYTES);
    this.#libc = options.driver === "linux" ? openLibc() : null;
    this.#sockets = this.#libc === null
      ? null
      : new ListenerSockets(this.#libc, options.inherited ?? null);
  }

  /**
   * Opens every socket; a thread that runs already serves them from then on. Throws an error that
   * names the address and what would do.
   *
   * @param index - of this data plane among those that share the ports
   */
  bind(index = 0): void {
    if (this.#sockets === null) return;
    this.#sockets.open(this.#config.listeners, index);
    if (this.#worker !== null) this.#send({ type: "serve", sockets: this.#sockets.all });
  }

  /**
   * Opens what a new configuration needs, beside what is served. Throws, and changes nothing, where
   * that cannot be. Then comes `commit` or `discard`.
   */
  prepare(next: Config, index = 0): PreparedChange {
    const config = alignListeners(next, this.#config.listeners);
    return { config, opened: this.#sockets?.prepare(config.listeners, index) ?? [] };
  }

  /** Closes what `prepare` has opened. */
  discard({ opened }: PreparedChange): void {
    this.#sockets?.discard(opened);
  }

  /**
   * Has the data plane change over, between two queries. Rejects with `ChangeRefused` where a listener
   * cannot be opened (the portable driver) and everything is as it was; with any other error where the
   * thread is of no use any more.
   *
   * @param deliveries - what handlers get before the first query comes to them
   */
  async commit(
    { config, opened }: PreparedChange,
    deliveries: readonly Delivery[],
  ): Promise<void> {
    const closing = this.#sockets?.change(config.listeners, opened) ?? [];
    const before = { config: this.#config, deliveries: this.#deliveries.all };
    this.#config = config;
    this.#deliveries.replace(deliveries.filter((delivery) => this.#isKept(delivery)));
    const message = { type: "configure", config, deliveries, opened, closing } as const;
    let done: unknown;
    try {
      const opens = [...opened];
      const request = (id: number) => ({ ...message, id, opened: opens });
      done = await this.#request(request, CONFIGURE_MS, handedOver(deliveries));
    } finally {
      // A thread that has failed uses them no more; one that hangs ends with the process.
      this.#sockets?.close(closing);
    }
    if (typeof done === "string") {
      this.#config = before.config;
      this.#deliveries.replace(before.deliveries);
      throw new ChangeRefused(done);
    }
    if (done !== true) throw new Error("a data plane could not change over (see the log above)");
  }

  /** Sockets that queries come to. */
  get sockets(): BoundSocket[] {
    return this.#sockets?.all ?? [];
  }

  /**
   * Accepts no more queries, which go to whoever else is bound to the addresses, and closes the
   * listening sockets once all connections that wait are accepted.
   */
  async retire(limitMs: number): Promise<void> {
    this.#serves = false;
    // One that does not answer has nothing to wait for.
    await this.#request((id) => ({ type: "retire", id }), limitMs).catch(() => {});
    this.#sockets?.closeListening();
  }

  /** After `retire`: resolves once all is answered and streams are closed, or after `limitMs`. */
  async drain(limitMs: number): Promise<void> {
    await this.#request((id) => ({ type: "drain", id }), limitMs).catch(() => {});
  }

  /** Starts the thread; resolves when it is ready. The sockets that `bind` has opened are served. */
  start(): Promise<void> {
    const { mark = 0 } = this.#options;
    if (this.#libc !== null && this.#wakeFd < 0) {
      if (mark !== 0) requireMarks(this.#libc, mark);
      this.#wakeFd = this.#libc.eventfd(0, EFD_NONBLOCK);
      this.#laneFd = this.#libc.eventfd(0, EFD_NONBLOCK);
    }
    const ready = Promise.withResolvers<void>();
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    const { port1, port2 } = new MessageChannel();
    this.#worker = worker;
    this.#port = port1;
    const lane = this.#tls?.join(this) ?? { link: null, why: "TLS is not served" };
    worker.onmessage = ({ data }: MessageEvent<DataPlaneMessage>) => {
      switch (data.type) {
        case "ready":
          this.#heartbeat.ready(performance.now());
          ready.resolve();
          break;
        case "places":
          this.places.push(...data.places);
          break;
        case "unable":
          ready.reject(new Error(data.error));
          break;
        case "log":
          for (const { level, line, fields } of data.lines) {
            this.#options.log(level, line, fields, data.timeMs);
          }
          this.values[COUNTER.LOG_WRITTEN]! += data.bytes;
          break;
        case "answered":
          this.#requests.answered(data.id, data.answer);
          break;
        case "harm":
          this.#options.onHarm?.(data.why);
          break;
        case "unwritable":
          this.onUnwritable(data.list);
          break;
        case "stopped":
          this.#stopped?.resolve();
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      ready.reject(new Error(event.message));
      this.#died(`the data plane failed: ${event.message}`);
    };
    const message: StartMessage = {
      driver: this.#options.driver,
      config: this.#config,
      sockets: this.#serves ? this.#sockets?.all ?? [] : [],
      wakeFd: this.#wakeFd,
      laneFd: this.#laneFd,
      lane,
      port: port2,
      counters: this.values.buffer as SharedArrayBuffer,
      logsFields: this.#options.logsFields ?? false,
      mark: this.#options.mark ?? 0,
      files: this.#options.files ?? shareOwnFiles(this.#options.driver),
      shared: this.#shared,
      places: this.places,
      deliveries: this.#deliveries.all,
      checks: this.#checks,
    };
    worker.postMessage(message, [port2, ...portsOf(lane), ...handedOver(message.deliveries)]);
    this.#deliveries.dropBuffers();
    this.#heartbeat.begin(performance.now());
    this.#checking ??= setInterval(() => this.#check(), CHECK_MS);
    return ready.promise;
  }

  /**
   * Hands data to a handler; a thread that takes the place of a dead one gets it again, unless it is
   * a buffer, which `refill` has to give again.
   */
  deliver(block: number, position: number, data: unknown): void {
    const delivery = { block, position, data };
    if (this.#isKept(delivery)) this.#deliveries.add(delivery);
    if (this.#worker !== null) this.#send({ type: "deliver", ...delivery }, handedOver([delivery]));
  }

  /** Whether it is still there once it is sent: a running thread takes buffers over. */
  #isKept({ data }: Delivery): boolean {
    return this.#worker === null || !(data instanceof ArrayBuffer);
  }

  /**
   * Asks a handler for something. Rejects if the thread ends before it answers, or after
   * `limitMs`; nothing is asked again.
   */
  ask(
    { block, position, request }: { block: number; position: number; request: unknown },
    limitMs: number,
  ): Promise<unknown> {
    return this.#request((id) => ({ type: "ask", id, block, position, request }), limitMs);
  }

  /**
   * Has the thread check itself by this plan, as does one that takes its place; resolves after a
   * round with why entries of lists cannot be renewed. Rejects if it does not answer.
   */
  check(plan: CheckPlan): Promise<ListFaults> {
    this.#checks = plan;
    const faults = this.#request((id) => ({ type: "check", id, plan }), CHECK_PLAN_MS);
    return faults as Promise<ListFaults>;
  }

  /** Sends what is answered by `answered` with the same id. */
  async #request(
    message: (id: number) => ControlMessage,
    limitMs: number,
    transfer: ArrayBuffer[] = [],
  ): Promise<unknown> {
    if (this.#worker === null) throw new Error("the data plane does not run");
    return await this.#requests.wait(limitMs, (id) => this.#send(message(id), transfer));
  }

  /** Tells the loop to end, and closes the sockets; resolves once it has, or after `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    clearInterval(this.#checking);
    this.#ended = true;
    if (this.#worker === null) return;
    this.#stopped = Promise.withResolvers();
    this.#send({ type: "stop" });
    await doneWithin(this.#stopped.promise, limitMs);
    this.#requests.giveUp();
    this.#worker.terminate();
    this.#port?.close();
    this.#worker = null;
    if (this.#libc !== null) {
      this.#sockets!.closeAll();
      this.#libc.close(this.#wakeFd);
    }
    const left = await this.#tls?.leave(this) ?? true;
    // A descriptor that a thread may still write to stays open: its number could be reused.
    if (left && this.#libc !== null) this.#libc.close(this.#laneFd);
  }

  /** eventfd that wakes its loop for encrypted streams; below zero where its port does. */
  get laneFd(): number {
    return this.#laneFd;
  }

  /** Encrypted streams go another way from now on. */
  relink(lane: LaneState): void {
    this.#send({ type: "lane", lane }, portsOf(lane));
  }

  /** Time since the loop was last seen to come round, in milliseconds. */
  get heartbeatAgeMs(): number {
    return this.#heartbeat.ageMs(performance.now());
  }

  /** How often a thread has taken the place of a dead one. */
  restarts = 0;

  /** Datagrams that the kernel threw away because a socket's buffer was full, by listener. */
  *socketDrops(): Generator<{ server: string; drops: number }> {
    for (const { listener, drops } of this.#sockets?.drops() ?? []) {
      const { address, port } = this.#config.listeners[listener]!;
      yield { server: serverLabel(address, port), drops };
    }
  }

  /** Makes the thread throw or hang, for tests of what happens then. */
  provoke(how: "throw" | "hang"): void {
    this.#send({ type: "fail", how });
  }

  #send(message: ControlMessage, transfer: Transferable[] = []): void {
    if (this.#port !== null) postToPlane(this.#port, message, transfer);
    if (this.#libc !== null) {
      const one = new BigUint64Array([1n]);
      this.#libc.write(this.#wakeFd, new Uint8Array(one.buffer), 8);
    }
  }

  #check(): void {
    const dead = this.#heartbeat.check(performance.now());
    if (dead === null) return;
    clearInterval(this.#checking);
    // A thread that never yields can be ended only with the process.
    this.#options.onDead(dead);
  }

  #died(why: string): void {
    this.#requests.giveUp();
    if (this.#stopped !== null) {
      this.#stopped.resolve();
      return;
    }
    this.#worker?.terminate();
    this.#worker = null;
    // The thread that takes its place knows nothing of these streams.
    void this.#tls?.leave(this);
    this.#port?.close();
    const now = performance.now();
    if (!this.#restarts.allows(now)) {
      this.#options.onDead(`${why}; it was started again ${MAX_RESTARTS} times within a minute`);
      return;
    }
    this.restarts++;
    this.#options.log("error", `${why}; starting it again`);
    this.#heartbeat.begin(now);
    this.#refill().then(() => this.#ended ? undefined : this.start()).then(
      () => this.onRestarted(),
      (error: Error) => this.#options.onDead(error.message),
    );
  }

  /** Gets the buffers again that went to the thread before; queries wait in the kernel meanwhile. */
  async #refill(): Promise<void> {
    const config = this.#config;
    const { refill, log } = this.#options;
    if (refill === undefined) return;
    const refilled = refill(config).then((deliveries) => {
      // A reload in the meantime has brought its own.
      if (this.#config !== config) return;
      for (const { block, position, data } of deliveries) this.deliver(block, position, data);
    });
    if (await doneWithin(refilled, REFILL_MS)) return;
    log("error", `hosts files are not read again within ${REFILL_MS / 1000} s; serving without`);
  }
}

function portsOf({ link }: LaneState): MessagePort[] {
  return link === null ? [] : [link.port];
}

/** The data plane's thread. An eventfd interrupts its blocking loop. */
import { Lazy, loadAll, loadFor, NotLoaded } from "../../base/lazy.ts";
import { releaseBuffer } from "../../base/transfer.ts";
import { COUNTER, CounterBook } from "../../engine/counters.ts";
import { Engine } from "../../engine/engine.ts";
import type { ExplainRequest } from "../../engine/explain/types.ts";
import { Memory } from "../../engine/memory.ts";
import { type Driver, ListenError } from "../../io/driver.ts";
import { LinuxDriver } from "../../io/linux/driver.ts";
import { openLinuxProbe } from "../../io/linux/probe_socket.ts";
import { openPortableProbe } from "../../io/portable/probe_socket.ts";
import type { KernelMaps } from "../../io/kernel_maps.ts";
import type { ProbeTarget } from "../../io/check_plan.ts";
import { SelfCheck } from "../../io/self_check.ts";
import type { Delivery } from "../../plugins/companion.ts";
import { handlerParts, logsStacks } from "../../plugins/config_traits.ts";
import { creatorsWith, handlerModules } from "../../plugins/handlers.ts";
import { GarbageWatch, RestCollector } from "../../sys/garbage.ts";
import { KernelFile } from "../../sys/kernel_file.ts";
import { openLibc } from "../../sys/libc.ts";
import { type ProfileResult, profileThread } from "../../sys/profiler.ts";
import { UnixDatagramSender } from "../../sys/unix_datagram.ts";
import type { Configure, ControlMessage, DataPlaneMessage, StartMessage } from "./messages.ts";
import { messagesOf, type PostedMessage, readPosted } from "./plane_port.ts";
import { whileServing } from "./while_serving.ts";
import { WorkerLog } from "./worker_log.ts";

const REST_MS = 2000;
const REST_QUERIES = 200;
const GARBAGE_BYTES = 32 * 2 ** 20;

const EXPLAIN = new Lazy(() => import("../../engine/explain/explain.ts"));
const ASK = new Lazy(() => import("../../engine/explain/ask.ts"));
const CLIENTS = new Lazy(() => import("../../engine/observe/client_groups.ts"));
const KERNEL_HITS = new Lazy(() => import("../../engine/kernel/kernel_hits.ts"));
const KERNEL_MEMORY = new Lazy(() => import("../../io/linux/kernel_memory.ts"));
const PORTABLE = new Lazy(() => import("../../io/portable/driver.ts"));

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<StartMessage>) => void) | null;
  postMessage(message: DataPlaneMessage): void;
};
const post = (message: DataPlaneMessage) => scope.postMessage(message);

scope.onmessage = ({ data }) => {
  scope.onmessage = null;
  const start = () => new DataPlaneThread(data).start();
  const loading = loadAll([
    ...data.driver === "portable" ? [PORTABLE] : [],
    ...data.clients === null ? [] : [CLIENTS],
    ...data.kernelHits ? [KERNEL_HITS, KERNEL_MEMORY] : [],
    ...handlerModules([
      ...handlerParts(data.config),
      ...data.kernelHits ? ["kernel_hits"] : [],
    ]),
  ]);
  if (loading === null) start();
  else loading.then(start, (error: Error) => post({ type: "unable", error: error.message }));
};

class DataPlaneThread {
  readonly #message: StartMessage;
  readonly #book: CounterBook;
  readonly #log: WorkerLog;
  readonly #garbage = new GarbageWatch(GARBAGE_BYTES);
  readonly #rest = new RestCollector();
  #config: StartMessage["config"];
  #engine!: Engine;
  #driver!: Driver;
  #selfCheck!: SelfCheck;
  #placesSent: number;
  #queries = 0;
  #running = true;
  #failing = false;
  /** Sent after a turn: queries precede requests. */
  #answers: DataPlaneMessage[] = [];
  #draining = -1;
  /** After `kernelHits.close`. */
  #unmap = () => {};
  #loaded: true | string = true;
  #profile: ProfileResult | null = null;
  /** Waits for work. With the portable driver, the thread's events serve clients meanwhile. */
  #serving: <T>(work: Promise<T>) => Promise<T> = (work) => work;

  constructor(message: StartMessage) {
    this.#message = message;
    this.#config = message.config;
    this.#book = new CounterBook(message.counters, message.places);
    this.#placesSent = message.places.length;
    this.#log = new WorkerLog(this.#book.values, post, message.config.debug);
  }

  start(): void {
    if (this.#message.driver === "linux") void this.#runLinux();
    else this.#runPortable();
  }

  async #runLinux(): Promise<void> {
    const { wakeFd, laneFd, mark, sockets } = this.#message;
    const driver = new LinuxDriver({
      ...this.#driverOptions(),
      libc: openLibc(),
      wakeFd,
      laneFd,
      mark,
    });
    this.#attach(driver);
    this.#serving = (work) => whileServing(driver, work);
    driver.serve(sockets);
    this.#sendPlaces();
    post({ type: "ready" });
    const nextMessage = messagesOf(this.#message.port);
    while (this.#running) {
      for (let left = driver.run(); left > 0 && this.#running; left--) {
        await this.#receive(await nextMessage());
      }
    }
    this.#message.port.close();
    this.#selfCheck.end();
    if (!this.#failing) this.#stopHandlers();
    driver.end();
    if (this.#failing) throw new Error("asked to fail");
    post({ type: "stopped" });
  }

  #runPortable(): void {
    const { port } = this.#message;
    const { PortableDriver } = PORTABLE.value;
    const driver = new PortableDriver({ ...this.#driverOptions(), now: () => performance.now() });
    this.#attach(driver);
    let last: Promise<void> = Promise.resolve();
    port.onmessage = ({ data }: MessageEvent<PostedMessage>) => {
      last = last.then(async () => {
        driver.run(() => {});
        await this.#receive(readPosted(data));
        driver.run(() => {});
        if (this.#running) return;
        this.#selfCheck.end();
        this.#stopHandlers();
        driver.stop();
        port.close();
        post({ type: "stopped" });
      }).catch((error) => this.#survive(error));
    };
    try {
      driver.listen(this.#config.listeners);
      this.#sendPlaces();
      post({ type: "ready" });
      // The linux driver catches its own exceptions.
      globalThis.addEventListener("unhandledrejection", (event) => {
        event.preventDefault();
        this.#survive(event.reason);
      });
    } catch (error) {
      post({ type: "unable", error: (error as Error).message });
    }
  }

  #driverOptions() {
    return {
      files: this.#message.files,
      onPanic: (error: unknown) => this.#logPanic(error),
      afterLoop: () => this.#afterLoop(),
    };
  }

  #attach(driver: Driver): void {
    const { shared, logsFields, observes, files, lane, deliveries, checks, clients } =
      this.#message;
    const { kernelHits, kernelMaps } = this.#message;
    this.#driver = driver;
    const engine = new Engine({
      io: driver,
      counters: this.#book,
      random: randomNumbers(),
      handlers: creatorsWith({
        shared,
        kernelHits,
        // Follows the log line.
        onHarm: (why) => this.#answers.push({ type: "harm", why }),
      }),
      log: this.#log.log,
      logsFields,
      observes,
      kernelHits: kernelHits ? new KERNEL_HITS.value.KernelHits() : null,
      wallMs: Date.now,
      limits: { streams: files.clientStreams },
    });
    this.#engine = engine;
    driver.attach(engine);
    driver.attachLane(lane.link, lane.why);
    this.#configure(this.#config, deliveries);
    if (clients !== null) CLIENTS.value.nameClients(engine, clients);
    if (kernelMaps !== null) this.#openKernel(kernelMaps);
    this.#selfCheck = new SelfCheck({
      timers: engine.timers,
      nowMs: () => engine.nowMs,
      openProbe: (target) => this.#openProbe(target),
      openList: (list) => new KernelFile(`/proc/net/xt_recent/${list}`),
      openManager(name) {
        const socket = new UnixDatagramSender(name);
        return { write: (message) => socket.send(message), close: () => socket.close() };
      },
      log: this.#log.log,
      onUnwritable: (list) => post({ type: "unwritable", list }),
    });
    if (checks !== null) this.#selfCheck.follow(checks);
    const timer = engine.timers.create((nowMs) => {
      this.#collectAtRest();
      engine.timers.set(timer, nowMs + REST_MS);
    });
    engine.timers.set(timer, engine.nowMs + REST_MS);
  }

  #openProbe(target: ProbeTarget) {
    // The runtime's sockets cannot be marked.
    return this.#message.driver === "linux" || target.mark !== 0
      ? openLinuxProbe(openLibc(), target)
      : openPortableProbe(target);
  }

  #collectAtRest(): void {
    const { values } = this.#book;
    const queries = values[COUNTER.UDP_QUERIES]! + values[COUNTER.TCP_QUERIES]!;
    if (queries - this.#queries < REST_QUERIES) this.#rest.look();
    this.#queries = queries;
  }

  async #receive(message: ControlMessage): Promise<void> {
    try {
      await this.#prepare(message);
      // A message that throws `NotLoaded` has had no effect yet.
      await loadFor(() => this.#handle(message), this.#load);
    } catch (error) {
      this.#survive(error);
      if ("id" in message) {
        this.#answers.push({ type: "answered", id: message.id, answer: undefined });
      }
    }
  }

  async #prepare(message: ControlMessage): Promise<void> {
    if (message.type === "load") this.#loaded = await this.#tryLoad(message.parts);
    // A thread that was replaced may not have seen `load`.
    if (message.type === "configure") {
      await this.#load(handlerModules(handlerParts(message.config)));
    }
    if (message.type === "profile") {
      this.#profile = await this.#serving(profileThread(message.action));
    }
  }

  /** One part after another: those loaded together hold up the thread as one. */
  readonly #load = async (parts: readonly Lazy<unknown>[]): Promise<void> => {
    for (const part of parts) if (!part.isLoaded) await this.#serving(part.load());
  };

  async #tryLoad(parts: readonly string[]): Promise<true | string> {
    try {
      await this.#load(handlerModules(parts));
      return true;
    } catch (error) {
      return (error as Error).message;
    }
  }

  #handle(message: ControlMessage): void {
    const engine = this.#engine;
    const driver = this.#driver;
    switch (message.type) {
      case "deliver":
        return engine.blocks.deliver(message.block, message.position, message.data);
      case "configure":
        return this.#answer(message.id, () => this.#change(message));
      case "load":
        return this.#answer(message.id, () => this.#loaded);
      case "retire":
        engine.kernelHits?.close();
        return this.#answer(message.id, () => driver.retireAll());
      case "drain":
        this.#draining = message.id;
        return;
      case "serve":
        return driver.serve?.(message.sockets);
      case "lane":
        return driver.attachLane(message.lane.link, message.lane.why);
      case "debug":
        this.#log.debug = message.debug;
        return;
      case "clients": {
        const before = CLIENTS.value.nameClients(engine, message.table);
        if (before !== null) releaseBuffer(before);
        return;
      }
      case "ask": {
        const { id, block, position, request } = message;
        return this.#answer(
          id,
          () => block < 0 ? engine.blocks.unready() : engine.blocks.ask(block, position, request),
        );
      }
      case "explain":
        return this.#answer(message.id, () => EXPLAIN.value.explainQuery(engine, message.request));
      case "query":
        return this.#ask(message.id, message.request);
      case "observe":
        return this.#answer(message.id, () => engine.observe(message.request));
      case "check":
        return this.#selfCheck.follow(message.plan, (answer) => {
          this.#answers.push({ type: "answered", id: message.id, answer });
        });
      case "profile":
        return this.#answer(message.id, () => this.#profile);
      case "kernel":
        return this.#openKernel(message.maps);
      case "collect":
        engine.kernelHits?.collect();
        return this.#answer(message.id, () => true);
      case "stop":
        engine.kernelHits?.close();
        this.#running = false;
        return;
      case "fail":
        if (message.how === "hang") { for (;;); }
        this.#failing = true;
        this.#running = false;
    }
  }

  #openKernel(maps: KernelMaps | null): void {
    const { kernelHits } = this.#engine;
    kernelHits?.close();
    this.#unmap();
    this.#unmap = () => {};
    if (kernelHits === null || maps === null) return;
    const { memory, unmap } = KERNEL_MEMORY.value.openKernelMemory(maps);
    kernelHits.open(memory);
    this.#unmap = unmap;
  }

  #change({ config, deliveries, opened, closing }: Configure): true | string {
    try {
      this.#driver.change({ listeners: config.listeners, opened, closing }, () => {
        this.#config = config;
        this.#log.debug = config.debug;
        this.#configure(config, deliveries);
      });
      return true;
    } catch (error) {
      // The portable driver opens its sockets here.
      if (error instanceof ListenError) return error.message;
      throw error;
    }
  }

  #configure(config: StartMessage["config"], deliveries: readonly Delivery[]): void {
    this.#engine.configure(config);
    this.#garbage.limitBytes = config.garbageBytes ?? GARBAGE_BYTES;
    for (const { block, position, data } of deliveries) {
      this.#engine.blocks.deliver(block, position, data);
    }
  }

  #answer(id: number, work: () => unknown): void {
    let answer: unknown;
    try {
      answer = work();
    } catch (error) {
      if (error instanceof NotLoaded) throw error;
      this.#survive(error);
    }
    this.#answers.push({ type: "answered", id, answer });
  }

  #ask(id: number, request: ExplainRequest): void {
    const done = (answer: unknown) => void this.#answers.push({ type: "answered", id, answer });
    const { askQuery } = ASK.value;
    try {
      askQuery(this.#engine, request, done);
    } catch (error) {
      this.#survive(error);
      done(undefined);
    }
  }

  #survive(error: unknown): void {
    this.#book.values[COUNTER.PANICS]!++;
    this.#logPanic(error);
  }

  #logPanic(error: unknown): void {
    this.#log.panic(error, logsStacks(this.#config));
  }

  #afterLoop(): void {
    this.#garbage.look(Memory.allocatedBytes);
    this.#log.flush();
    this.#sendPlaces();
    if (this.#draining >= 0 && this.#driver.drained) {
      this.#answers.push({ type: "answered", id: this.#draining, answer: true });
      this.#draining = -1;
    }
    if (this.#answers.length === 0) return;
    this.#answers.forEach(post);
    this.#answers = [];
  }

  #sendPlaces(): void {
    const { places } = this.#book;
    if (places.length === this.#placesSent) return;
    post({ type: "places", places: places.slice(this.#placesSent) });
    this.#placesSent = places.length;
  }

  #stopHandlers(): void {
    this.#engine.configure({ ...this.#config, blocks: [], listeners: [] });
    this.#log.flush(true);
  }
}

function randomNumbers(): () => number {
  const pool = new Uint32Array(1024);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      crypto.getRandomValues(pool);
      at = 0;
    }
    return pool[at++]!;
  };
}

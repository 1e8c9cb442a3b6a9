/**
 * The data plane's thread. It is told once what to serve, then blocks in its loop; whatever comes
 * later is read from a port when the eventfd wakes it.
 */
import { type Driver, ListenError } from "../../io/driver.ts";
import { receiveMessageOnPort } from "node:worker_threads";
import { COUNTER, CounterBook } from "../../engine/counters.ts";
import { Engine } from "../../engine/engine.ts";
import { Memory } from "../../engine/memory.ts";
import { LinuxDriver } from "../../io/linux/driver.ts";
import { openLinuxProbe } from "../../io/linux/probe_socket.ts";
import { PortableDriver } from "../../io/portable/driver.ts";
import { openPortableProbe } from "../../io/portable/probe_socket.ts";
import type { ProbeTarget } from "../../io/probe_socket.ts";
import { SelfCheck } from "../../io/self_check.ts";
import type { Delivery } from "../../plugins/companion.ts";
import { handlersWith } from "../../plugins/handlers.ts";
import { librariesOf, loadLibraries, logsStacks } from "../../plugins/config_traits.ts";
import { GarbageWatch, RestCollector } from "../../sys/garbage.ts";
import { KernelFile } from "../../sys/kernel_file.ts";
import { openLibc } from "../../sys/libc.ts";
import { UnixDatagramSender } from "../../sys/unix_datagram.ts";
import type { ControlMessage, DataPlaneMessage, StartMessage } from "./messages.ts";
import { panicText } from "./panic_text.ts";
import { type PostedMessage, readPosted } from "./post_to_plane.ts";
import { WorkerLog } from "./worker_log.ts";

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<StartMessage>) => void) | null;
  postMessage(message: DataPlaneMessage): void;
};

const post = (message: DataPlaneMessage) => scope.postMessage(message);

scope.onmessage = ({ data }) => {
  scope.onmessage = null;
  // Not awaited where it need not be, to start fast.
  if (librariesOf(data.config).length === 0) new DataPlaneThread(data).start();
  else loadLibraries(data.config).then(() => new DataPlaneThread(data).start());
};

/** How often the thread asks itself whether it is at rest, and the queries meanwhile that say no. */
const REST_MS = 2000;
const REST_QUERIES = 200;
/** Bytes that buffers may take as garbage where the process's memory has no known limit. */
const GARBAGE_BYTES = 32 * 2 ** 20;

class DataPlaneThread {
  readonly #message: StartMessage;
  readonly #book: CounterBook;
  readonly #log: WorkerLog;
  #config: StartMessage["config"];
  #placesTold: number;
  #engine!: Engine;
  #driver!: Driver;
  readonly #garbage = new GarbageWatch(GARBAGE_BYTES);
  readonly #rest = new RestCollector();
  /** Queries at the last look whether it is at rest. */
  #queries = 0;
  #running = true;
  #failing = false;
  /** Answers are sent when the loop has come round: queries are served before the next request. */
  #answers: DataPlaneMessage[] = [];
  /** A request that has to wait until its library is loaded; the messages behind it wait, too. */
  #held: ControlMessage & { type: "configure" } | null = null;
  /** The request to drain that is to be answered when the driver has drained, or -1. */
  #draining = -1;
  #selfCheck!: SelfCheck;

  constructor(message: StartMessage) {
    this.#message = message;
    this.#config = message.config;
    this.#book = new CounterBook(message.counters, message.places);
    this.#placesTold = message.places.length;
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
      onWake: () => this.#receive(),
    });
    this.#attach(driver);
    driver.serve(sockets);
    this.#tellPlaces();
    post({ type: "ready" });
    for (;;) {
      driver.run();
      if (this.#held === null) break;
      // Queries wait in the kernel meanwhile.
      await loadLibraries(this.#held.config);
      this.#handle(this.#held);
      this.#held = null;
      this.#receive();
    }
    this.#selfCheck.end();
    if (!this.#failing) this.#retire();
    driver.end();
    if (this.#failing) throw new Error("asked to fail");
    post({ type: "stopped" });
  }

  #runPortable(): void {
    const { port } = this.#message;
    const driver = new PortableDriver({ ...this.#driverOptions(), now: () => performance.now() });
    this.#attach(driver);
    let turn: Promise<void> = Promise.resolve();
    port.onmessage = ({ data }: MessageEvent<PostedMessage>) => {
      turn = turn.then(async () => {
        const message = readPosted(data);
        if (this.#needsLibraries(message)) await loadLibraries(message.config);
        driver.run(() => this.#handle(message));
        if (this.#running) return;
        this.#selfCheck.end();
        this.#retire();
        driver.stop();
        port.close();
        post({ type: "stopped" });
      }).catch((error) => this.#survive(error));
    };
    try {
      driver.listen(this.#config.listeners);
      this.#tellPlaces();
      post({ type: "ready" });
      // From now on; the linux driver's loop catches what it calls.
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
      onPanic: (error: unknown) =>
        this.#log.log("error", panicText(error, logsStacks(this.#config))),
      afterLoop: () => this.#afterLoop(),
    };
  }

  #attach(driver: Driver): void {
    this.#driver = driver;
    this.#engine = new Engine({
      io: driver,
      counters: this.#book,
      random: randomNumbers(),
      handlers: handlersWith({
        shared: this.#message.shared,
        // With the answers, so that the log has said it before.
        onHarm: (why) => this.#answers.push({ type: "harm", why }),
      }),
      log: this.#log.log,
      logsFields: this.#message.logsFields,
      wallMs: Date.now,
      limits: { streams: this.#message.files.clientStreams },
    });
    driver.attach(this.#engine);
    this.#attachLane(this.#message.lane);
    this.#configure(this.#config, this.#message.deliveries);
    this.#selfCheck = new SelfCheck({
      timers: this.#engine.timers,
      nowMs: () => this.#engine.nowMs,
      openProbe: (target) => this.#openProbe(target),
      openList: (list) => new KernelFile(`/proc/net/xt_recent/${list}`),
      openManager(name) {
        const socket = new UnixDatagramSender(name);
        return { write: (message) => socket.send(message), close: () => socket.close() };
      },
      log: this.#log.log,
      onUnwritable: (list) => post({ type: "unwritable", list }),
    });
    if (this.#message.checks !== null) this.#selfCheck.follow(this.#message.checks);
    const { timers, nowMs } = this.#engine;
    const again = timers.create((nowMs) => {
      this.#lookAtRest();
      timers.set(again, nowMs + REST_MS);
    });
    timers.set(again, nowMs + REST_MS);
  }

  #openProbe(target: ProbeTarget) {
    // The runtime's own sockets cannot be marked.
    return this.#message.driver === "linux" || target.mark !== 0
      ? openLinuxProbe(openLibc(), target)
      : openPortableProbe(target);
  }

  /** Collects what a start or a burst has left, once few wait for it. */
  #lookAtRest(): void {
    const { values } = this.#book;
    const queries = values[COUNTER.UDP_QUERIES]! + values[COUNTER.TCP_QUERIES]!;
    if (queries - this.#queries < REST_QUERIES) this.#rest.look();
    this.#queries = queries;
  }

  #attachLane({ link, why }: StartMessage["lane"]): void {
    this.#driver.attachLane(link, why);
  }

  /** Handles what lies in the port; false if the loop must be left. */
  #receive(): boolean {
    while (this.#running) {
      const received = receiveMessageOnPort(this.#message.port as never);
      if (received === undefined) break;
      const message = readPosted(received.message as PostedMessage);
      if (this.#needsLibraries(message)) {
        this.#held = message;
        return false;
      }
      try {
        this.#handle(message);
      } catch (error) {
        // Those behind it are handled all the same.
        this.#survive(error);
      }
    }
    return this.#running;
  }

  /** A thread that never yields cannot load a library. */
  #needsLibraries(message: ControlMessage): message is ControlMessage & { type: "configure" } {
    if (message.type !== "configure") return false;
    const loaded = librariesOf(this.#config);
    return librariesOf(message.config).some((library) => !loaded.includes(library));
  }

  #handle(message: ControlMessage): void {
    switch (message.type) {
      case "deliver":
        this.#engine.deliver(message.block, message.position, message.data);
        break;
      case "configure":
        this.#answer(message.id, () => this.#change(message));
        break;
      case "retire":
        this.#answer(message.id, () => this.#driver.retireAll());
        break;
      case "drain":
        this.#draining = message.id;
        break;
      case "serve":
        this.#driver.serve?.(message.sockets);
        break;
      case "lane":
        this.#attachLane(message.lane);
        break;
      case "ask": {
        const { block, position, request } = message;
        this.#answer(
          message.id,
          () => block < 0 ? this.#engine.unready() : this.#engine.ask(block, position, request),
        );
        break;
      }
      case "check":
        this.#selfCheck.follow(message.plan, (answer) => {
          this.#answers.push({ type: "answered", id: message.id, answer });
        });
        break;
      case "stop":
        this.#running = false;
        break;
      case "fail":
        // Only ever asked for by tests of what the control plane does about it.
        if (message.how === "hang") { for (;;); }
        this.#failing = true;
        this.#running = false;
    }
  }

  /** True, or why the configuration is not taken over; then nothing has changed. */
  #change(message: ControlMessage & { type: "configure" }): true | string {
    const { config, deliveries, opened, closing } = message;
    try {
      this.#driver.change({ listeners: config.listeners, opened, closing }, () => {
        this.#config = config;
        this.#log.debug = config.debug;
        this.#configure(config, deliveries);
      });
      return true;
    } catch (error) {
      // The portable driver opens its sockets only now.
      if (error instanceof ListenError) return error.message;
      throw error;
    }
  }

  /** Handlers have what they need before the first query comes to them. */
  #configure(config: StartMessage["config"], deliveries: readonly Delivery[]): void {
    this.#engine.configure(config);
    this.#garbage.limitBytes = config.garbageBytes ?? GARBAGE_BYTES;
    for (const { block, position, data } of deliveries) this.#engine.deliver(block, position, data);
  }

  /** Does what is asked; where a handler throws, this request alone comes to nothing. */
  #answer(id: number, work: () => unknown): void {
    let answer: unknown;
    try {
      answer = work();
    } catch (error) {
      this.#survive(error);
    }
    this.#answers.push({ type: "answered", id, answer });
  }

  /** Counts and logs an exception that ends nothing. */
  #survive(error: unknown): void {
    this.#book.values[COUNTER.PANICS]!++;
    this.#driverOptions().onPanic(error);
  }

  #afterLoop(): void {
    this.#garbage.look(Memory.allocatedBytes);
    this.#log.flush();
    this.#tellPlaces();
    if (this.#draining >= 0 && this.#driver.drained) {
      this.#answers.push({ type: "answered", id: this.#draining, answer: true });
      this.#draining = -1;
    }
    if (this.#answers.length === 0) return;
    this.#answers.forEach(post);
    this.#answers = [];
  }

  /** Tells where new counters lie. */
  #tellPlaces(): void {
    const { places } = this.#book;
    if (places.length === this.#placesTold) return;
    post({ type: "places", places: places.slice(this.#placesTold) });
    this.#placesTold = places.length;
  }

  /** Stops the handlers, which give back what they have of the driver. No query may come afterwards. */
  #retire(): void {
    this.#engine.configure({ ...this.#config, blocks: [], listeners: [] });
    this.#log.flush(true);
  }
}

/** Random numbers from the system's generator, a thousand a call. */
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

import { Worker } from "node:worker_threads";
import type { Config } from "../../config/types.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { makeLink } from "../../io/lane_link.ts";
import type { SeriesBook } from "../../metrics/series.ts";
import { usesTls } from "../../plugins/config_traits.ts";
import { TLS_CLOSE_REASONS } from "./tls/context.ts";
import type {
  LaneState,
  TlsMemory,
  TlsThreadCommand,
  TlsThreadData,
  TlsThreadReport,
} from "./messages.ts";
import { closedPlace, TLS_STAT, tlsStatsMemory } from "./stats.ts";
import { TlsWatch } from "./watch.ts";

/** Pauses before a thread that failed is started again: at first, at most. */
const PAUSE_MS = { first: 100, most: 10_000 } as const;
/** A thread that lived for so long had not failed because of what it was started with. */
const SOUND_MS = 60_000;
const CHECK_MS = 1000;
/** Time that streams are given to end where no upstream needs them any more. */
const FINISH_MS = 10_000;
/** Time for a data plane's eventfd to be let go of. */
const LEAVE_MS = 1000;
/**
 * Where the memory of the process has no known limit: the share of 352 MiB (`tlsShareOf`), and as
 * much garbage as a data plane may have.
 */
const DEFAULT_MEMORY: TlsMemory = { budgetBytes: 32 * 2 ** 20, garbageBytes: 32 * 2 ** 20 };
/**
 * Most megabytes of JavaScript's objects in the thread. It takes 7 at rest, and took 18 while a server
 * flooded 16 connections; beyond this the runtime ends it, and it is started again.
 */
const MAX_HEAP_MB = 64;

const NOT_WANTED = "no upstream over TLS is configured";

/** What tests replace. */
export interface TlsThreadOptions {
  /** Time that the watch goes by, in monotonic milliseconds. */
  nowMs?: () => number;
  /** Time between two looks of the watch. */
  checkMs?: number;
}

/** A data plane, for the thread. */
export interface LaneUser {
  /** eventfd that wakes it, or below zero: then the port does. */
  readonly laneFd: number;
  /** Its streams go another way from now on, or nowhere. */
  relink(lane: LaneState): void;
}

/**
 * The thread that speaks TLS and HTTPS with upstreams, as the control plane sees it: it runs as long
 * as the configuration has such upstreams, and is started again where it fails or hangs. What it
 * served is closed then, with the reason; plain DNS and the cache do not notice.
 */
export class TlsThread {
  readonly #log: (level: LogLevel, line: string) => void;
  /** Data planes by the number of their lane; numbers are never used again. */
  readonly #users = new Map<LaneUser, number>();
  readonly #leaving = new Map<number, (left: boolean) => void>();
  /**
   * Data planes whose eventfd went to a thread that was ended without a goodbye. Deno reports the end
   * of a thread before its last step is done, so that one may still write there at any time.
   */
  readonly #exposed = new WeakSet<LaneUser>();
  #memory = DEFAULT_MEMORY;
  #lastId = 0;
  #wanted = false;
  #worker: Worker | null = null;
  /** Counters of all threads so far; the newest one writes to it. */
  #stats = tlsStatsMemory();
  #values = new Float64Array(this.#stats);
  #startedMs = 0;
  #pauseMs: number = PAUSE_MS.first;
  #restarting: ReturnType<typeof setTimeout> | undefined;
  #finishing: ReturnType<typeof setTimeout> | undefined;
  #checking: ReturnType<typeof setInterval> | undefined;
  #watch: TlsWatch | null = null;
  readonly #nowMs: () => number;
  readonly #checkMs: number;
  #why = NOT_WANTED;
  /** How often a thread has taken the place of a failed one. */
  restarts = 0;

  constructor(
    log: (level: LogLevel, line: string) => void,
    { nowMs = () => performance.now(), checkMs = CHECK_MS }: TlsThreadOptions = {},
  ) {
    this.#log = log;
    this.#nowMs = nowMs;
    this.#checkMs = checkMs;
  }

  /** Whether a thread runs. */
  get running(): boolean {
    return this.#worker !== null;
  }

  /** Runs from now on if this configuration needs it; otherwise until its streams have ended. */
  configure(config: Config): void {
    clearTimeout(this.#finishing);
    this.#memory = {
      budgetBytes: config.tlsBytes ?? DEFAULT_MEMORY.budgetBytes,
      garbageBytes: config.garbageBytes ?? DEFAULT_MEMORY.garbageBytes,
    };
    this.#say({ type: "memory", memory: this.#memory });
    this.#wanted = usesTls(config);
    if (this.#wanted && this.#worker === null) this.#start();
    else if (!this.#wanted && this.#worker !== null) this.#finish(performance.now() + FINISH_MS);
  }

  /** A data plane's thread starts: what carries its streams. */
  join(user: LaneUser): LaneState {
    const id = ++this.#lastId;
    this.#users.set(user, id);
    return this.#link(user, id);
  }

  /** A data plane's thread has ended; resolves to whether no thread writes to its eventfd any more. */
  async leave(user: LaneUser): Promise<boolean> {
    const id = this.#users.get(user);
    this.#users.delete(user);
    if (id === undefined || this.#worker === null) return !this.#exposed.has(user);
    const left = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => left.resolve(false), LEAVE_MS);
    this.#leaving.set(id, left.resolve);
    this.#say({ type: "leave", id });
    const done = await left.promise;
    clearTimeout(timer);
    this.#leaving.delete(id);
    return done && !this.#exposed.has(user);
  }

  /** Ends the thread. */
  async stop(): Promise<void> {
    this.#wanted = false;
    await this.#end("stopped");
  }

  /** Makes the thread fail, for tests of what happens then. */
  provoke(how: "throw" | "hang" | "exhaust"): void {
    this.#say({ type: "fail", how });
  }

  /** Adds what is known of the thread to a scrape. */
  addMetrics(book: SeriesBook): void {
    const of = (place: number) => this.running ? this.#values[place]! : 0;
    book.add("nodens_tls_threads", {}, this.running ? 1 : 0);
    book.add("nodens_tls_thread_restarts_total", {}, this.restarts);
    book.add("nodens_tls_streams", {}, of(TLS_STAT.STREAMS));
    book.add("nodens_tls_held_bytes", {}, of(TLS_STAT.HELD));
    book.add("nodens_tls_held_limit_bytes", {}, of(TLS_STAT.LIMIT));
    book.add("nodens_tls_heap_bytes", {}, of(TLS_STAT.HEAP));
    book.add("nodens_unhandled_errors_total", {}, this.#values[TLS_STAT.ERRORS]!);
    for (const reason of TLS_CLOSE_REASONS) {
      const count = this.#values[closedPlace(reason)]!;
      book.add("nodens_tls_streams_closed_total", { reason }, count);
    }
  }

  #start(): void {
    clearTimeout(this.#restarting);
    // A thread that has been ended may still write; nobody reads it.
    const stats = tlsStatsMemory();
    new Float64Array(stats).set(this.#values);
    this.#stats = stats;
    this.#values = new Float64Array(stats);
    this.#startedMs = performance.now();
    this.#watch = new TlsWatch(this.#values, this.#nowMs());
    const workerData: TlsThreadData = { stats, memory: this.#memory };
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    this.#worker = worker;
    worker.on("message", (report: TlsThreadReport) => {
      if (report.type === "left") this.#leaving.get(report.id)?.(true);
      else this.#log(report.level, report.line);
    });
    let why = "";
    worker.on("error", (error: Error) => why = error.message);
    worker.on("exit", () => {
      if (this.#worker === worker) this.#failed(`has failed: ${why || "it ended by itself"}`);
    });
    this.#checking ??= setInterval(() => this.#check(), this.#checkMs);
    for (const user of this.#users.keys()) {
      const id = ++this.#lastId;
      this.#users.set(user, id);
      user.relink(this.#link(user, id));
    }
  }

  #link(user: LaneUser, id: number): LaneState {
    if (this.#worker === null) return { link: null, why: this.#why };
    const { plane, thread } = makeLink();
    this.#say({ type: "join", id, link: thread, wakeFd: user.laneFd }, [thread.port]);
    return { link: plane, why: "the thread for TLS has been started again" };
  }

  #say(command: TlsThreadCommand, transfer: MessagePort[] = []): void {
    this.#worker?.postMessage(command, transfer as never);
  }

  #failed(what: string): void {
    if (!this.#wanted) {
      this.#log("error", `the thread for TLS ${what}; no upstream needs it any more`);
      void this.#end(NOT_WANTED);
      return;
    }
    const soundly = performance.now() - this.#startedMs >= SOUND_MS;
    const pauseMs = soundly ? PAUSE_MS.first : this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, PAUSE_MS.most);
    this.restarts++;
    this.#log("error", `the thread for TLS ${what}; starting it again in ${pauseMs} ms`);
    void this.#end("the thread for TLS has failed");
    this.#restarting = setTimeout(() => {
      if (this.#wanted) this.#start();
    }, pauseMs);
  }

  async #end(why: string): Promise<void> {
    clearTimeout(this.#restarting);
    clearTimeout(this.#finishing);
    clearInterval(this.#checking);
    this.#checking = undefined;
    const worker = this.#worker;
    this.#worker = null;
    this.#why = why;
    if (worker === null) return;
    for (const user of this.#users.keys()) {
      this.#exposed.add(user);
      user.relink({ link: null, why });
    }
    for (const left of this.#leaving.values()) left(false);
    await worker.terminate();
  }

  #check(): void {
    const fault = this.#watch?.check(this.#nowMs()) ?? null;
    if (fault !== null) this.#failed(fault);
  }

  /** Ends the thread once it has no streams, or at `untilMs`. */
  #finish(untilMs: number): void {
    this.#finishing = setTimeout(() => {
      const done = this.#values[TLS_STAT.STREAMS] === 0 || performance.now() >= untilMs;
      if (done) void this.#end(NOT_WANTED);
      else this.#finish(untilMs);
    }, this.#checkMs);
  }
}

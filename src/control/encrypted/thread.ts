import type { Worker } from "node:worker_threads";
import { type Cancel, type Clock, systemClock } from "../../base/clock.ts";
import { doneWithin } from "../../base/deadline.ts";
import type { Config } from "../../config/types.ts";
import type { LogLevel } from "../../engine/handler.ts";
import { makeLink } from "../../io/lane_link.ts";
import type { SeriesBook } from "../../metrics/series.ts";
import { usesTls } from "../../plugins/config_traits.ts";
import { CHECK_MS, ThreadWatch } from "../thread_watch.ts";
import {
  closedIndex,
  type LaneState,
  TLS_STAT,
  type TlsMemory,
  tlsStatsMemory,
  type TlsThreadCommand,
  type TlsThreadData,
  type TlsThreadReport,
} from "./messages.ts";
import { TLS_CLOSE_REASONS } from "./tls/context.ts";

const PAUSE_MS = { first: 100, most: 10_000 } as const;
/** Later failures are unrelated to the start. */
const SOUND_MS = 60_000;
const FINISH_MS = 10_000;
const LEAVE_MS = 1000;
/** Share of 352 MiB (`memoryShare`), and garbage. */
const DEFAULT_MEMORY: TlsMemory = { budgetBytes: 32 * 2 ** 20, garbageBytes: 32 * 2 ** 20 };
/** The runtime ends the thread above it. Use: 7 to 18 MiB. */
const MAX_HEAP_MB = 64;

const NOT_WANTED = "no upstream over TLS is configured";

/** A data plane as seen by `TlsThread`. */
export interface LaneUser {
  readonly laneFd: number;
  relink(lane: LaneState): void;
}

/** Runs the TLS thread on demand; restarts it if it fails or hangs. */
export class TlsThread {
  restarts = 0;
  readonly #log: (level: LogLevel, line: string) => void;
  readonly #clock: Clock;
  readonly #users = new Map<LaneUser, number>();
  readonly #leaving = new Map<number, (left: boolean) => void>();
  /** A terminated thread may still write there: Deno reports its end early. */
  readonly #exposed = new WeakSet<LaneUser>();
  #memory = DEFAULT_MEMORY;
  #lastId = 0;
  #wanted = false;
  #worker: Worker | null = null;
  #values = new Float64Array(tlsStatsMemory());
  #startedMs = 0;
  #pauseMs: number = PAUSE_MS.first;
  #why = NOT_WANTED;
  #cancelRestart: Cancel = () => {};
  #cancelFinish: Cancel = () => {};
  #cancelWatch: Cancel = () => {};

  constructor(log: (level: LogLevel, line: string) => void, clock: Clock = systemClock) {
    this.#log = log;
    this.#clock = clock;
  }

  get running(): boolean {
    return this.#worker !== null;
  }

  configure(config: Config): void {
    this.#cancelFinish();
    this.#memory = {
      budgetBytes: config.tlsBytes ?? DEFAULT_MEMORY.budgetBytes,
      garbageBytes: config.garbageBytes ?? DEFAULT_MEMORY.garbageBytes,
    };
    this.#send({ type: "memory", memory: this.#memory });
    this.#wanted = usesTls(config);
    if (this.#wanted && !this.running) this.#start();
    else if (!this.#wanted && this.running) this.#finish();
  }

  join(user: LaneUser): LaneState {
    const id = ++this.#lastId;
    this.#users.set(user, id);
    if (!this.running) return { link: null, why: this.#why };
    const { plane, thread } = makeLink();
    this.#send({ type: "join", id, link: thread, wakeFd: user.laneFd }, [thread.port]);
    return { link: plane, why: "the TLS thread has been restarted" };
  }

  async leave(user: LaneUser): Promise<boolean> {
    const id = this.#users.get(user);
    this.#users.delete(user);
    if (id === undefined || !this.running) return !this.#exposed.has(user);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#leaving.set(id, resolve);
    this.#send({ type: "leave", id });
    const done = await doneWithin(promise, LEAVE_MS, this.#clock) && await promise;
    this.#leaving.delete(id);
    return done && !this.#exposed.has(user);
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    await this.#end("stopped");
  }

  provoke(how: "throw" | "hang" | "exhaust"): void {
    this.#send({ type: "fail", how });
  }

  addMetrics(book: SeriesBook): void {
    const current = (index: number) => this.running ? this.#values[index]! : 0;
    book.add("nodens_tls_threads", {}, this.running ? 1 : 0);
    book.add("nodens_tls_thread_restarts_total", {}, this.restarts);
    book.add("nodens_tls_streams", {}, current(TLS_STAT.STREAMS));
    book.add("nodens_tls_held_bytes", {}, current(TLS_STAT.HELD_BYTES));
    book.add("nodens_tls_held_limit_bytes", {}, current(TLS_STAT.LIMIT_BYTES));
    book.add("nodens_tls_heap_bytes", {}, current(TLS_STAT.HEAP_BYTES));
    book.add("nodens_unhandled_errors_total", {}, this.#values[TLS_STAT.ERRORS]!);
    for (const reason of TLS_CLOSE_REASONS) {
      const count = this.#values[closedIndex(reason)]!;
      book.add("nodens_tls_streams_closed_total", { reason }, count);
    }
  }

  #start(): void {
    this.#cancelRestart();
    // A terminated thread may still write to the old memory.
    const stats = tlsStatsMemory();
    const values = new Float64Array(stats);
    values.set(this.#values);
    this.#values = values;
    this.#startedMs = this.#clock.now();
    const workerData: TlsThreadData = { stats, memory: this.#memory };
    // Loaded only for TLS: Node modules take megabytes.
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    const worker = new Worker(new URL("./worker.ts", import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    this.#worker = worker;
    worker.on("message", (report: TlsThreadReport) => {
      if (report.type === "left") this.#leaving.get(report.id)?.(true);
      else this.#log(report.level, report.line);
    });
    let why = "it ended unexpectedly";
    worker.on("error", (error: Error) => why = error.message);
    worker.on("exit", () => {
      if (this.#worker === worker) this.#failed(`has failed: ${why}`);
    });
    const watch = new ThreadWatch(values, this.#clock, TLS_STAT.BEAT);
    const firstBeat = values[TLS_STAT.BEAT];
    let started = false;
    this.#cancelWatch = this.#clock.every(CHECK_MS, () => {
      if (!started && values[TLS_STAT.BEAT] !== firstBeat) {
        started = true;
        watch.begin(true);
      }
      const fault = watch.check();
      if (fault !== null) this.#failed(fault);
    });
    for (const user of [...this.#users.keys()]) user.relink(this.join(user));
  }

  #send(command: TlsThreadCommand, transfer: MessagePort[] = []): void {
    this.#worker?.postMessage(command, transfer as never);
  }

  #failed(what: string): void {
    if (!this.#wanted) {
      this.#log("error", `the TLS thread ${what}; no upstream needs it any more`);
      void this.#end(NOT_WANTED);
      return;
    }
    const sound = this.#clock.now() - this.#startedMs >= SOUND_MS;
    const pauseMs = sound ? PAUSE_MS.first : this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, PAUSE_MS.most);
    this.restarts++;
    this.#log("error", `the TLS thread ${what}; restarting it in ${pauseMs} ms`);
    void this.#end("the TLS thread has failed");
    this.#cancelRestart = this.#clock.after(pauseMs, () => {
      if (this.#wanted) this.#start();
    });
  }

  async #end(why: string): Promise<void> {
    this.#cancelRestart();
    this.#cancelFinish();
    this.#cancelWatch();
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

  #finish(): void {
    const endMs = this.#clock.now() + FINISH_MS;
    this.#cancelFinish = this.#clock.every(CHECK_MS, () => {
      if (this.#values[TLS_STAT.STREAMS] === 0 || this.#clock.now() >= endMs) {
        void this.#end(NOT_WANTED);
      }
    });
  }
}

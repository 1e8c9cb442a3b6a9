import { type Cancel, type Clock, systemClock } from "../../../base/clock.ts";
import { doneWithin } from "../../../base/deadline.ts";
import type { LogLevel } from "../../../engine/handler.ts";
import { type CacheOptions, keepsContent } from "../options.ts";
import {
  type LoadReply,
  type LoadRequest,
  type SaveReply,
  type SaveRequest,
  SNAPSHOT_START,
  type SnapshotCursor,
} from "../persist/requests.ts";
import { MAX_SLICE_SIZE, tenthsSince, whyUseless } from "../persist/snapshot_file.ts";
import type { CompanionServices, Plane, PluginUse } from "../../companion.ts";
import type { SnapshotReader } from "./snapshot_files.ts";

const ASK_MS = 5000;
const TOO_LATE = "it was not finished before the time limit for stopping";
/** Entries; few until the code is compiled. */
const BATCH = { first: 32, most: 1000 } as const;

/** A use of `cache` with `persist`. */
export type CacheDirective = PluginUse<CacheOptions>;

/** `shared` ends with `Keeper.own`. */
export type PersistenceOptions = Pick<CompanionServices, "planes" | "log" | "shared"> & {
  clock?: Clock;
};

/** A directive's cache and file; operations run one at a time. */
export class PersistedCache {
  #directive: CacheDirective;
  readonly #path: string;
  readonly #options: PersistenceOptions;
  readonly #planes: readonly Plane[];
  readonly #clock: Clock;
  /** Avoids copies. */
  readonly #memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
  readonly #bytes = new Uint8Array(this.#memory);
  /** Logged once. */
  readonly #failures = new Map<"read" | "write", string>();
  #last: Promise<void> = Promise.resolve();
  #cancelSave: Cancel = () => {};
  /** Before it is overwritten. */
  #loaded = false;
  /** Of the first data plane, at the last load. */
  #restarts = 0;
  #deadlineMs = Infinity;
  #stopping = false;
  #identity = "";

  constructor(directive: CacheDirective, options: PersistenceOptions) {
    this.#directive = directive;
    this.#path = directive.options.persist!.file;
    this.#options = options;
    this.#planes = options.planes;
    this.#clock = options.clock ?? systemClock;
  }

  start(): void {
    this.load(this.#planes);
    this.#saveFirst();
  }

  idle(): Promise<void> {
    return this.#last;
  }

  isSame({ zones, options }: CacheDirective): boolean {
    const own = this.#directive;
    return options.persist!.file === this.#path && keepsContent(own.options, options) &&
      [...zones].sort().join() === [...own.zones].sort().join();
  }

  /** Writes if `save`; the result resumes. */
  hold({ save, limitMs }: { save: boolean; limitMs: number }): Promise<() => void> {
    const paused = Promise.withResolvers<() => void>();
    this.#enqueue(async () => {
      if (save && this.#loaded) {
        this.#deadlineMs = this.#clock.now() + limitMs;
        await this.#save();
        this.#deadlineMs = Infinity;
      }
      const resumed = Promise.withResolvers<void>();
      paused.resolve(resumed.resolve);
      await resumed.promise;
    });
    return paused.promise;
  }

  move(directive: CacheDirective): void {
    const before = this.#intervalMs;
    this.#directive = directive;
    if (this.#intervalMs !== before) this.#saveFirst();
  }

  end(): void {
    this.#cancelSave();
    this.#stopping = true;
  }

  load(planes: readonly Plane[]): void {
    this.#loaded = false;
    this.#enqueue(() => this.#load(planes));
  }

  /** Reloads a changed file; existing entries stay. */
  async follow(): Promise<void> {
    if (this.#loaded && !this.#stopping && await identityOf(this.#path) !== this.#identity) {
      this.load(this.#planes);
      await this.#last;
    }
  }

  /**
   * Writes the file after a flush; flushes again what a load restored. False if it is not written:
   * another process may own it.
   */
  rewrite(flushAgain: () => Promise<void>): Promise<boolean> {
    const loading = !this.#loaded;
    const written = Promise.withResolvers<boolean>();
    this.#enqueue(async () => {
      try {
        if (loading) await flushAgain();
        written.resolve(this.#loaded && !this.#options.shared && await this.#save());
      } catch (error) {
        this.#fails("write", error);
        written.resolve(false);
      }
    });
    return written.promise;
  }

  async stop(limitMs: number): Promise<void> {
    this.end();
    this.#deadlineMs = this.#clock.now() + limitMs;
    // A partly loaded file has more entries.
    this.#enqueue(async () => {
      if (this.#loaded) await this.#save();
    });
    if (!await doneWithin(this.#last, limitMs, this.#clock)) {
      this.#fails("write", new Error(TOO_LATE));
    }
  }

  get #intervalMs(): number {
    return this.#directive.options.persist!.intervalMs;
  }

  /** Random: nodes must not write together. */
  #saveFirst(): void {
    this.#saveAfter(this.#intervalMs * Math.random());
  }

  #saveAfter(delayMs: number): void {
    this.#cancelSave();
    this.#cancelSave = this.#clock.after(delayMs, () =>
      this.#enqueue(async () => {
        if (this.#loaded && !this.#stopping && !this.#options.shared) await this.#save();
        if (!this.#stopping) this.#saveAfter(this.#intervalMs);
      }));
  }

  #enqueue(work: () => Promise<void>): void {
    this.#last = this.#last.then(work);
  }

  async #load(planes: readonly Plane[]): Promise<void> {
    const startMs = this.#clock.now();
    const { restarts } = this.#planes[0]!;
    this.#identity = await identityOf(this.#path);
    try {
      const { SnapshotReader } = await import("./snapshot_files.ts");
      using reader = await SnapshotReader.open(this.#path);
      if (reader !== null) {
        const why = whyUseless({
          timeMs: reader.timeMs,
          nowMs: this.#clock.wall(),
          longestMs: this.#longestMs(),
        });
        if (why !== null) throw new TypeError(why);
        const { taken, left, malformed } = await this.#fill(planes, reader);
        if (this.#stopping) return;
        if (malformed > 0) {
          this.#say("warning", `skipped ${malformed} malformed entries of "${this.#path}"`);
        }
        const ms = Math.round(this.#clock.now() - startMs);
        const rest = left === 0 ? "" : `; ${left} were expired or not needed`;
        this.#say("info", `restored ${taken} entries from "${this.#path}" in ${ms} ms${rest}`);
      }
      this.#failures.delete("read");
    } catch (error) {
      this.#fails("read", error);
    }
    this.#loaded = true;
    if (planes.includes(this.#planes[0]!)) this.#restarts = restarts;
  }

  async #fill(
    planes: readonly Plane[],
    reader: SnapshotReader,
  ): Promise<Omit<LoadReply, "next">> {
    const sum = { taken: 0, left: 0, malformed: 0 };
    let most: number = BATCH.first;
    while (!this.#stopping) {
      const slice = reader.next(this.#bytes);
      if (slice === null) break;
      for (let from = 0; from < slice.sizeBytes && !this.#stopping;) {
        const request: LoadRequest = {
          type: "load",
          memory: this.#memory,
          sizeBytes: slice.sizeBytes,
          from,
          most,
          elapsedTenths: tenthsSince(slice.timeMs, this.#clock.wall()),
        };
        const replies = await Promise.all(planes.map((plane) => this.#ask(plane, request)));
        const reply = replies[0] as LoadReply;
        if (!(reply.next > from)) throw new TypeError("it is damaged: an entry is truncated");
        from = reply.next;
        sum.taken += reply.taken;
        sum.left += reply.left;
        sum.malformed += reply.malformed;
        most = Math.min(2 * most, BATCH.most);
      }
    }
    return sum;
  }

  async #save(): Promise<boolean> {
    const plane = this.#planes[0]!;
    // Restarted threads are empty.
    const isFilled = () => plane.restarts === this.#restarts;
    if (!isFilled()) return false;
    try {
      const { SnapshotWriter } = await import("./snapshot_files.ts");
      await using writer = await SnapshotWriter.open(this.#path, this.#clock.wall());
      for (let from: SnapshotCursor | null = SNAPSHOT_START; from !== null;) {
        if (this.#clock.now() > this.#deadlineMs) throw new Error(TOO_LATE);
        const timeMs = this.#clock.wall();
        const request: SaveRequest = { type: "save", memory: this.#memory, from };
        const { sizeBytes, entries, next } = await this.#ask(plane, request) as SaveReply;
        if (entries > 0) await writer.add(this.#bytes, { sizeBytes, entries, timeMs });
        from = next;
      }
      if (!isFilled()) return false;
      await writer.finish();
      if (this.#failures.delete("write")) this.#say("info", `"${this.#path}" is written again`);
      return true;
    } catch (error) {
      this.#fails("write", error);
      return false;
    }
  }

  async #ask(plane: Plane, request: LoadRequest | SaveRequest): Promise<unknown> {
    const { block, position } = this.#directive;
    const answer = await plane.ask({ block, position, request }, ASK_MS);
    if (answer === undefined) throw new Error("the data plane failed (see the log above)");
    return answer;
  }

  #longestMs(): number {
    const { success, denial, serveStale } = this.#directive.options;
    const longestSeconds = Math.max(success.maxTtlSeconds, denial.maxTtlSeconds);
    return 1000 * longestSeconds + (serveStale?.durationMs ?? 0);
  }

  #fails(what: "read" | "write", error: unknown): void {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    if (this.#failures.get(what) === `${name} ${message}`) return;
    this.#failures.set(what, `${name} ${message}`);
    const consequence = what === "read" ? "the cache starts empty" : "the file is unchanged";
    this.#say("warning", `Cannot ${what} "${this.#path}": ${message}; ${consequence}`);
  }

  #say(level: LogLevel, line: string): void {
    this.#options.log(level, `plugin/cache: ${line}`);
  }
}

/** Of a file; "" for none. */
async function identityOf(path: string): Promise<string> {
  try {
    const { ino, mtime } = await Deno.stat(path);
    return `${ino} ${mtime?.getTime()}`;
  } catch {
    return "";
  }
}

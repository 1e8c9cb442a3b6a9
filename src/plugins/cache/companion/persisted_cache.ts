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
} from "../persist/snapshot.ts";
import {
  MAX_SLICE_SIZE,
  type SliceHeader,
  tenthsSince,
  whyUseless,
} from "../persist/snapshot_file.ts";
import type { Plane } from "../../companion.ts";

/** What a data plane is given for one slice; it has to answer queries in between. */
const ASK_MS = 5000;
/** Why the last writing came to nothing. */
const TOO_LATE = "it was not done when the time to stop had come";
/** Entries that a data plane is given at once: the first while its code is not compiled yet. */
const BATCH = { first: 32, most: 1000 } as const;

/** What became of the entries of a file. */
interface Counts {
  taken: number;
  left: number;
  malformed: number;
}

/** Writes a line of the log. */
export type Log = (level: LogLevel, line: string) => void;

/** Where a cache that is kept stands in a configuration. */
export interface CachePlace {
  block: number;
  position: number;
  /** Zones of the block. */
  zones: string;
  options: CacheOptions;
}

/** The cache of one directive and its file. Reads and writes are done one at a time, in order. */
export class PersistedCache {
  #place: CachePlace;
  readonly #path: string;
  readonly #planes: readonly Plane[];
  readonly #log: Log;
  /** Through these slices go from thread to thread, so nothing is copied or made for them. */
  readonly #lanes = [makeLane(), makeLane()] as const;
  /** Why the last attempt to read or write failed: said once, until it works again. */
  readonly #failing = new Map<"read" | "write", string>();
  #last: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Until what the file holds was read, nothing may take its place. */
  #loaded = false;
  /** Restarts of the data plane that is saved, when the file was last read into it. */
  #restarts = 0;
  #deadlineMs = Infinity;
  #stopping = false;
  /** The file that was read last, as the system tells it from others; "" for none. */
  #read = "";
  /** Another process has this cache as well, and writes the file when it stops. */
  #shared: boolean;

  constructor(
    place: CachePlace,
    { planes, log, shared }: { planes: readonly Plane[]; log: Log; shared: boolean },
  ) {
    this.#place = place;
    this.#path = place.options.persist!.file;
    this.#planes = planes;
    this.#log = log;
    this.#shared = shared;
  }

  /** Reads the file, and writes it every interval from then on. */
  start(): void {
    this.load(this.#planes);
    this.#startTimer();
  }

  /** Resolves when all that was to be done is done. */
  async settled(): Promise<void> {
    await this.#last;
  }

  /** Whether the cache that stands there has the content of this one, and the same file. */
  goesOnAs({ zones, options }: CachePlace): boolean {
    return options.persist!.file === this.#path && zones === this.#place.zones &&
      keepsContent(this.#place.options, options);
  }

  /**
   * Does nothing from when `quiet` resolves until `release` is called.
   *
   * @param save - the content is written before
   */
  hold(
    { save, limitMs }: { save: boolean; limitMs: number },
  ): { quiet: Promise<void>; release: () => void } {
    const quiet = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#enqueue(async () => {
      if (save && this.#loaded) {
        this.#deadlineMs = performance.now() + limitMs;
        await this.#save();
        this.#deadlineMs = Infinity;
      }
      quiet.resolve();
      await released.promise;
    });
    return { quiet: quiet.promise, release: released.resolve };
  }

  /** Stands elsewhere from now on, perhaps with another interval. */
  move(place: CachePlace): void {
    const changed = place.options.persist!.intervalMs !== this.#place.options.persist!.intervalMs;
    this.#place = place;
    if (!changed) return;
    clearTimeout(this.#timer);
    this.#startTimer();
  }

  /** Is not written any more: its cache is gone. */
  end(): void {
    clearTimeout(this.#timer);
    this.#stopping = true;
  }

  #startTimer(): void {
    const { intervalMs } = this.#place.options.persist!;
    if (intervalMs <= 0) return;
    // Nodes that start together do not write together.
    this.#timer = setTimeout(() => this.#tick(), intervalMs * Math.random());
  }

  /** Fills the caches of these data planes from the file. */
  load(planes: readonly Plane[]): void {
    this.#loaded = false;
    this.#enqueue(() => this.#load(planes));
  }

  /** Reads the file again where another process has written it; entries that are known stay. */
  async follow(): Promise<void> {
    if (this.#loaded && !this.#stopping && await identityOf(this.#path) !== this.#read) {
      this.load(this.#planes);
      await this.#last;
    }
  }

  /** Writes the file from now on: the process that had this cache as well is gone. */
  own(): void {
    this.#shared = false;
  }

  /** Writes the file a last time; gives up after `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    clearTimeout(this.#timer);
    this.#deadlineMs = performance.now() + limitMs;
    this.#stopping = true;
    // Where what the file holds has not been read yet, it is better than what the cache holds.
    this.#enqueue(async () => {
      if (this.#loaded) await this.#save();
    });
    const done = await doneWithin(this.#last, limitMs);
    if (!done) this.#fails("write", new Error(TOO_LATE), "the file stays as it was");
  }

  #tick(): void {
    this.#enqueue(async () => {
      // Where the one before took long, none is waiting behind it.
      if (this.#loaded && !this.#stopping && !this.#shared) await this.#save();
      const { intervalMs } = this.#place.options.persist!;
      if (this.#stopping || intervalMs <= 0) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#tick(), intervalMs);
    });
  }

  #enqueue(work: () => Promise<void>): void {
    this.#last = this.#last.then(work);
  }

  async #load(planes: readonly Plane[]): Promise<void> {
    const beganMs = performance.now();
    const { restarts } = this.#planes[0]!;
    this.#read = await identityOf(this.#path);
    try {
      // Loaded here, since most configurations keep no cache.
      const { SnapshotReader } = await import("./snapshot_files.ts");
      const reader = await SnapshotReader.open(this.#path);
      if (reader !== null) {
        try {
          const { timeMs } = reader;
          const why = whyUseless({ timeMs, nowMs: Date.now(), longestMs: this.#longestMs() });
          if (why !== null) throw new TypeError(why);
          const { taken, left, malformed } = await this.#fill(
            planes,
            (bytes) => reader.next(bytes),
          );
          if (this.#stopping) return;
          if (malformed > 0) {
            this.#log(
              "warning",
              `plugin/cache: ${malformed} malformed entries of "${this.#path}" were left out`,
            );
          }
          const ms = Math.round(performance.now() - beganMs);
          const rest = left === 0 ? "" : `, ${left} of no more use`;
          this.#log(
            "info",
            `plugin/cache: ${taken} entries from "${this.#path}"${rest}, in ${ms} ms`,
          );
        } finally {
          reader.close();
        }
      }
      this.#works("read");
    } catch (error) {
      this.#fails("read", error, "the cache starts without it");
    }
    this.#loaded = true;
    if (planes.includes(this.#planes[0]!)) this.#restarts = restarts;
  }

  /** Hands slice after slice to every data plane; what became of the entries of the first. */
  async #fill(
    planes: readonly Plane[],
    next: (bytes: Uint8Array) => SliceHeader | null,
  ): Promise<Counts> {
    const sum: Counts = { taken: 0, left: 0, malformed: 0 };
    // While one slice is taken in, the next is read into the other lane.
    const lanes = this.#lanes.map((lane) => ({ ...lane, done: Promise.resolve() }));
    try {
      for (let i = 0; !this.#stopping; i++) {
        const lane = lanes[i % lanes.length]!;
        await lane.done;
        const slice = next(lane.bytes);
        if (slice === null) break;
        lane.done = this.#feed(planes, { memory: lane.memory, slice, sum });
        lane.done.catch(() => {});
        // Alone, while the code that takes it in is not compiled.
        if (i === 0) await lane.done;
      }
    } finally {
      await Promise.all(lanes.map(({ done }) => done));
    }
    return sum;
  }

  /** Hands one slice over, the first of all in small portions. */
  async #feed(
    planes: readonly Plane[],
    { memory, slice, sum }: { memory: SharedArrayBuffer; slice: SliceHeader; sum: Counts },
  ): Promise<void> {
    const { sizeBytes, timeMs } = slice;
    const { taken, left, malformed } = sum;
    let most: number = taken + left + malformed === 0 ? BATCH.first : BATCH.most;
    for (let from = 0; from < sizeBytes && !this.#stopping;) {
      const elapsedTenths = tenthsSince(timeMs, Date.now());
      const request: LoadRequest = { type: "load", memory, sizeBytes, from, most, elapsedTenths };
      const replies = await Promise.all(planes.map((plane) => this.#ask(plane, request)));
      const reply = replies[0] as LoadReply;
      if (!(reply.next > from)) throw new TypeError("it is damaged: an entry is cut off");
      from = reply.next;
      sum.taken += reply.taken;
      sum.left += reply.left;
      sum.malformed += reply.malformed;
      most = Math.min(2 * most, BATCH.most);
    }
  }

  /**
   * Whether the data plane is the one that the file was read into. The thread that takes the place of
   * a dead one is empty at first, and is not to be saved over what the file still holds.
   */
  #isFilled(): boolean {
    return this.#planes[0]!.restarts === this.#restarts;
  }

  async #save(): Promise<void> {
    if (!this.#isFilled()) return;
    const { memory, bytes } = this.#lanes[0];
    try {
      const { SnapshotWriter } = await import("./snapshot_files.ts");
      const writer = await SnapshotWriter.open(this.#path, Date.now());
      try {
        let from: SnapshotCursor | null = SNAPSHOT_START;
        while (from !== null) {
          if (performance.now() > this.#deadlineMs) {
            throw new Error(TOO_LATE);
          }
          const timeMs = Date.now();
          const request: SaveRequest = { type: "save", memory, from };
          const reply = await this.#ask(this.#planes[0]!, request) as SaveReply;
          const { sizeBytes, entries } = reply;
          if (entries > 0) await writer.add(bytes, { sizeBytes, entries, timeMs });
          from = reply.next;
        }
        if (!this.#isFilled()) return await writer.abandon();
        await writer.finish();
      } catch (error) {
        await writer.abandon();
        throw error;
      }
      this.#works("write");
    } catch (error) {
      this.#fails("write", error, "the file stays as it was");
    }
  }

  async #ask(plane: Plane, request: LoadRequest | SaveRequest): Promise<unknown> {
    const { block, position } = this.#place;
    const answer = await plane.ask({ block, position, request }, ASK_MS);
    if (answer === undefined) throw new Error("the data plane could not (see the log above)");
    return answer;
  }

  #longestMs(): number {
    const { success, denial, serveStale } = this.#place.options;
    const longestSeconds = Math.max(success.maxTtlSeconds, denial.maxTtlSeconds);
    return 1000 * longestSeconds + (serveStale?.durationMs ?? 0);
  }

  #works(what: "read" | "write"): void {
    const failed = this.#failing.delete(what);
    if (failed && what === "write") {
      this.#log("info", `plugin/cache: "${this.#path}" is written again`);
    }
  }

  #fails(what: "read" | "write", error: unknown, consequence: string): void {
    const kind = error instanceof Error ? `${error.name} ${error.message}` : String(error);
    if (this.#failing.get(what) === kind) return;
    this.#failing.set(what, kind);
    const why = error instanceof Error ? error.message : String(error);
    this.#log("warning", `plugin/cache: Cannot ${what} "${this.#path}": ${why}; ${consequence}`);
  }
}

/** Tells a file from the one before it: each is written beside and renamed. */
async function identityOf(path: string): Promise<string> {
  try {
    const { ino, mtime } = await Deno.stat(path);
    return `${ino} ${mtime?.getTime()}`;
  } catch {
    return "";
  }
}

function makeLane(): { memory: SharedArrayBuffer; bytes: Uint8Array } {
  const memory = new SharedArrayBuffer(MAX_SLICE_SIZE);
  return { memory, bytes: new Uint8Array(memory) };
}

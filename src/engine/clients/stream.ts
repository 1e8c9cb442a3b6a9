import type { Io, StreamHandler } from "../io.ts";
import type { StreamOrigin as Origin } from "../exchange/origin.ts";
import type { BufferPool } from "../buffer_pool.ts";
import { Memory } from "../memory.ts";
import { PendingFrames } from "../pending_frames.ts";
import type { StreamClient } from "./stream_client.ts";
import {
  type CloseReason,
  costOf,
  QUEUED_BYTES,
  type StreamLimits,
  UNCOUNTED_BYTES,
} from "./stream_limits.ts";
import { mayFollow, type Phase } from "./phase.ts";
import { StreamWatch, type Watched } from "./stream_watch.ts";
import type { Timers } from "../timers.ts";
import { Uptake } from "./uptake.ts";

/** Responses of one turn, written out together; a whole response always fits behind. */
const BATCH_BYTES = 16 * 1024;
const FRAME_ROOM = 65535 + 2 + 16;
const batch = { memory: null as Memory | null };

/** What a stream needs of the engine. */
export interface StreamServices {
  readonly nowMs: number;
  readonly timers: Timers;
  readonly io: Io;
  readonly values: Float64Array;
  counter(name: string, labels?: Readonly<Record<string, string>>): number;
  streamQuery(
    stream: Origin,
    memory: Memory,
    offset: number,
    length: number,
    out: Memory,
    outOffset: number,
  ): number;
}

/** What a stream needs of those who watch over all streams. */
export interface StreamOwner {
  readonly buffers: BufferPool;
  /** What the stream's queries may cost now. */
  allowance(): number;
  /** Counts against the allowance. */
  spend(cost: number): void;
  /**
   * Calls `turn` once it is this stream's turn. Returns whether that will be before the driver reads
   * again.
   */
  enqueue(stream: ClientStream): boolean;
  /** Notes that the client has asked or been answered. */
  touch(stream: ClientStream): void;
  /** Counts memory; may close this stream or others. */
  charge(stream: ClientStream, bytes: number): void;
  /** Lets go of a stream; without a reason, the client or the configuration ended it. */
  forget(stream: ClientStream, reason: CloseReason | null): void;
}

/** A client's TCP connection: frames in, frames out, in whatever order the answers come. */
export class ClientStream implements StreamHandler, Origin, Watched {
  readonly kind = "stream";
  readonly id: number;
  readonly listener: number;
  readonly client: StreamClient<ClientStream>;
  readonly uptake: Uptake;
  activeMs: number;
  /** Neighbours among the client's streams, in the order of their last activity. */
  previous: ClientStream | null = null;
  next: ClientStream | null = null;
  /** It waits for its turn, before `nextWaiting`. */
  waiting = false;
  nextWaiting: ClientStream | null = null;
  /** Bytes of memory that are counted for it. */
  bytes = 0;
  /** Bytes in the kernel are among them, and may have left since. */
  countsKernel = false;
  outstanding = 0;

  readonly #services: StreamServices;
  readonly #owner: StreamOwner;
  readonly #limits: StreamLimits;
  readonly #watch: StreamWatch;
  readonly #pending: PendingFrames;
  /** Why it ends, if the client is to blame. */
  #fault: CloseReason | null = null;
  /** Frames are being answered right now. */
  #answering = false;
  #paused = false;
  #queries = 0;

  constructor(
    services: StreamServices,
    owner: StreamOwner,
    options: {
      listener: number;
      id: number;
      client: StreamClient<ClientStream>;
      limits: StreamLimits;
    },
  ) {
    this.#services = services;
    this.#owner = owner;
    this.listener = options.listener;
    this.id = options.id;
    this.client = options.client;
    this.#limits = options.limits;
    this.activeMs = services.nowMs;
    this.uptake = new Uptake(services.io, options.id);
    this.#pending = new PendingFrames(owner.buffers);
    this.#watch = new StreamWatch(this, options.limits, services);
  }

  get family(): 4 | 6 {
    return this.#family ??= this.#services.io.family("stream", this.id);
  }
  #family: 4 | 6 | null = null;

  get phase(): Phase {
    return this.#phase;
  }
  #phase: Phase = "open";

  get gone(): boolean {
    return this.#phase === "closed";
  }

  get hasAsked(): boolean {
    return this.#queries > 0;
  }

  get busy(): boolean {
    return this.outstanding > 0 || this.#pending.hasFrame;
  }

  get underWay(): boolean {
    return this.outstanding > 0 || this.#pending.length > 0;
  }

  data(memory: Memory, offset: number, length: number): void {
    // Bytes behind the last query are read, so that closing does not reset the connection.
    if (!this.#accepts) return;
    const used = this.#pending.length === 0 ? this.#answerFrames(memory, offset, length) : 0;
    if (used < length && !this.gone) {
      const before = this.#pending.sizeBytes;
      this.#pending.append(memory, offset + used, length - used);
      this.#charge(this.bytes + this.#pending.sizeBytes - before);
    }
    this.update();
  }

  ended(): void {
    if (this.gone) return;
    if (this.phase !== "finished") {
      this.#enter("ended");
      this.update();
    } else if (!this.uptake.holdsMuch) {
      this.close(null);
    }
  }

  closed(): void {
    // The driver may tell the end of both sides in this way.
    this.#forget(this.phase === "finished" ? null : "broken");
  }

  drained(): void {
    if (!this.measure()) return;
    this.#touch();
    this.#watch.watchIdle();
    this.update();
  }

  /** Answers queries that were read before, now that others have had their turn. */
  turn(): void {
    if (this.gone) return;
    this.#answerPending();
    this.update();
  }

  /** Answers on, and is retired as soon as the client is silent for a moment, or after a while. */
  drain(): void {
    if (this.phase === "open") this.#enter("draining");
    this.#watch.drain();
  }

  stopReading(): void {
    if (this.#accepts) this.#enter("retired");
    this.update();
  }

  /** As `stopReading`, but answers what was read at once: the stream's listener is about to go. */
  retire(): void {
    if (this.#accepts) this.#enter("retired");
    this.#answerPending(Infinity);
    if (this.gone) return;
    // The rest could only be answered for a listener that is gone.
    this.#charge(this.bytes - this.#pending.sizeBytes);
    this.#pending.clear();
    this.update();
  }

  /** Closes in order where nothing is left for the client, or else at once. */
  close(reason: CloseReason | null): void {
    if (this.gone) return;
    const abrupt = this.uptake.holdsMuch;
    this.#forget(reason ?? this.#fault);
    this.#services.io.close(this.id, abrupt);
  }

  answer(memory: Memory, offset: number, length: number): void {
    this.#touch();
    this.#write(memory, offset, length);
  }

  measure(): boolean {
    if (this.gone) return false;
    const inKernel = this.uptake.measure();
    this.countsKernel = inKernel > UNCOUNTED_BYTES;
    const counted = this.countsKernel ? inKernel : 0;
    this.#charge(this.#pending.sizeBytes + this.#services.io.queueSize(this.id) + counted);
    return !this.gone;
  }

  update(): void {
    // A query may be answered while frames are being read; whoever reads them updates afterwards.
    if (this.gone || this.#answering) return;
    const { hasFrame } = this.#pending;
    const mayAnswer = this.#mayAnswer();
    const soon = hasFrame && mayAnswer && this.#owner.enqueue(this);
    const { measuring, queued } = this.uptake;
    // While it was paused, queries may have come that are still to be read.
    const resting = queued === 0 && !this.underWay && this.hasAsked && !this.#paused;
    if (this.phase === "draining" && resting && this.#watch.overdue) this.#enter("retired");
    if (queued > 0 && !measuring) this.#watch.watchRate();
    // Counting its memory may have closed it.
    if (this.gone) return;
    const blocked = hasFrame ? !soon : this.#accepts && !mayAnswer;
    if (blocked !== this.#paused) {
      this.#paused = blocked;
      this.#services.io.pause(this.id, blocked);
    }
    if (hasFrame || this.outstanding > 0) return;
    if (this.phase === "retired") this.#finish();
    else if (this.phase === "ended") this.#end();
  }

  /** Closes this side, and waits for the client to close the other. */
  #finish(): void {
    this.#enter("finished");
    this.#services.io.finish(this.id);
    this.#watch.watchFinished();
  }

  /** Closes the stream once the client has taken its last answers. */
  #end(): void {
    // The kernel keeps what is left after closing, uncounted.
    if (!this.uptake.holdsMuch) this.close(null);
    else if (!this.uptake.measuring) this.#watch.watchLast();
  }

  /** Queries are read. */
  get #accepts(): boolean {
    return this.phase === "open" || this.phase === "draining";
  }

  #mayAnswer(): boolean {
    return this.outstanding < this.#limits.outstanding &&
      this.uptake.queued <= QUEUED_BYTES;
  }

  #answerPending(most?: number): void {
    const { memory, length, sizeBytes } = this.#pending;
    if (memory === null || this.#answering) return;
    const used = this.#answerFrames(memory, 0, length, most);
    if (this.gone) return;
    this.#pending.consume(used);
    this.#charge(this.bytes + this.#pending.sizeBytes - sizeBytes);
  }

  /** Answers whole frames (RFC 1035 section 4.2.2) and returns how many bytes they took. */
  #answerFrames(
    memory: Memory,
    offset: number,
    length: number,
    most = this.#owner.allowance(),
  ): number {
    const first = this.#queries === 0;
    let used = length;
    this.#answering = true;
    try {
      used = this.#answerEach(memory, offset, length, most);
    } catch (error) {
      // It would fail over this query again and again.
      this.close(null);
      throw error;
    } finally {
      this.#answering = false;
    }
    if (this.gone || used === 0) return used;
    this.#touch();
    if (first) this.#watch.watchIdle();
    return used;
  }

  #answerEach(memory: Memory, offset: number, length: number, most: number): number {
    const services = this.#services;
    const out = batch.memory ??= new Memory(BATCH_BYTES + FRAME_ROOM);
    const { view, bytes } = memory;
    const end = offset + length;
    let at = offset;
    let filled = 0;
    let left = most;
    while (left > 0 && at + 2 <= end) {
      const size = view.getUint16(at);
      if (at + 2 + size > end || !this.#mayAnswer()) break;
      // Responses are written at a multiple of eight, then moved up against the one before.
      const composeAt = (filled + 2 + 7) & ~7;
      const written = services.streamQuery(this, memory, at + 2, size, out, composeAt);
      const cost = costOf(written);
      left -= cost;
      this.#owner.spend(cost);
      // Another stream's responses may have made this one too much.
      if (this.gone) return length;
      if (written > 0) {
        if (composeAt !== filled + 2) {
          out.bytes.copyWithin(filled + 2, composeAt, composeAt + written);
        }
        out.view.setUint16(filled, written);
        filled += 2 + written;
      } else if (size < 12 || (bytes[at + 4]! & 0x80) !== 0) {
        // A frame that is not a query comes from a peer out of step with the framing.
        this.#enter("ended");
        this.#fault = "protocol";
        at = end;
        break;
      }
      at += 2 + size;
      if (++this.#queries === this.#limits.queries) {
        this.#enter("ended");
        at = end;
        break;
      }
      if (filled >= BATCH_BYTES) {
        this.#write(out, 0, filled);
        filled = 0;
        if (this.gone) return length;
      }
    }
    if (filled > 0) this.#write(out, 0, filled);
    return at - offset;
  }

  #write(memory: Memory, offset: number, length: number): void {
    const { io } = this.#services;
    this.uptake.send(length);
    io.write(this.id, memory, offset, length);
    if (this.uptake.mayBeMuch) this.measure();
  }

  #enter(phase: Phase): void {
    if (!mayFollow(this.#phase, phase)) {
      throw new Error(`Cannot go from ${this.#phase} to ${phase}`);
    }
    this.#phase = phase;
  }

  #charge(bytes: number): void {
    const more = bytes - this.bytes;
    if (more === 0) return;
    this.bytes = bytes;
    this.#owner.charge(this, more);
  }

  #touch(): void {
    this.activeMs = this.#services.nowMs;
    this.#owner.touch(this);
  }

  #forget(reason: CloseReason | null): void {
    this.#enter("closed");
    this.#pending.clear(this.#answering);
    this.#charge(0);
    this.#watch.stop();
    this.#owner.forget(this, reason);
  }
}

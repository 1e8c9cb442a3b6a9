import type { Io, StreamHandler } from "../io/contract.ts";
import type { BufferPool } from "./buffer_pool.ts";
import { Memory } from "./memory.ts";
import { PendingFrames } from "./pending_frames.ts";
import type { StreamClient } from "./stream_client.ts";
import {
  type CloseReason,
  costOf,
  MIN_RATE,
  QUEUED_BYTES,
  type StreamLimits,
  UNCOUNTED_BYTES,
} from "./stream_limits.ts";
import type { Timer, Timers } from "./timers.ts";

/** Responses of one turn, written out together; a whole response always fits behind. */
const BATCH_BYTES = 16 * 1024;
const FRAME_ROOM = 65535 + 2 + 16;
const batch = { memory: null as Memory | null };
/** Pause between two looks at whether a client that has sent its last query has taken its answers. */
const LAST_LOOK_MS = 20;

/**
 * How far a stream is on the way to its end:
 * - `open`: queries are read and answered.
 * - `draining`: so they are still, but the process stops: it goes on to `retired` before long.
 * - `ended`: the client sends no more, or may not. Closed once it has taken its last answers.
 * - `retired`: no query is read any more, but the client may send some. Once those that were read
 *   are answered, this side is closed.
 * - `finished`: this side is closed; what remains is to wait for the client to close the other.
 */
type Phase = "open" | "draining" | "ended" | "retired" | "finished";

/**
 * Times of a stream while the process stops; together less than the six seconds that a data plane has.
 * A stream is retired after `quietMs` of silence, so that most likely no query crosses the FIN; one
 * that has brought no query yet after `busyMs`. One whose client asks all the time is retired behind
 * an answer once `busyMs` have passed, since it is then that the client has sent nothing else yet.
 * After `lastMs` any is retired. A client has `finMs` to close its side, and to take its answers where
 * the process stops.
 */
const DRAIN = { quietMs: 100, busyMs: 1000, lastMs: 3000, finMs: 2000 } as const;

/** What a stream needs of the engine. */
export interface StreamServices {
  readonly nowMs: number;
  readonly timers: Timers;
  readonly io: Io;
  readonly values: Float64Array;
  counter(name: string, labels?: Readonly<Record<string, string>>): number;
  streamQuery(
    stream: ClientStream,
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
export class ClientStream implements StreamHandler {
  readonly id: number;
  readonly listener: number;
  readonly client: StreamClient<ClientStream>;
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
  /** Queries that wait for an upstream. */
  outstanding = 0;
  /** Closed, by whichever side. */
  gone = false;

  readonly #services: StreamServices;
  readonly #owner: StreamOwner;
  readonly #limits: StreamLimits;
  readonly #timer: Timer;
  readonly #pending: PendingFrames;
  #phase: Phase = "open";
  /** Why it ends, where the client is to blame. */
  #fault: CloseReason | null = null;
  /** Since when the process stops; Infinity before. */
  #drainingMs = Infinity;
  /** Frames are being answered right now. */
  #answering = false;
  #paused = false;
  #activeMs: number;
  #queries = 0;
  /** Bytes handed over for sending, and how many of them the client is known to have taken. */
  #written = 0;
  #taken = 0;
  /** When the measuring of the client's rate began, or -1 while nothing waits for it. */
  #windowMs = -1;
  /** What it had taken by then. */
  #windowTaken = 0;

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
    this.#activeMs = services.nowMs;
    this.#pending = new PendingFrames(owner.buffers);
    // The timer is not moved for every query: it looks at the last activity when it fires.
    this.#timer = services.timers.create((nowMs) => this.#check(nowMs));
    this.#wakeAt(services.nowMs + this.#limits.readMs);
  }

  /** Family of the client's address. */
  get family(): 4 | 6 {
    return this.#family ??= this.#services.io.family("stream", this.id);
  }
  #family: 4 | 6 | null = null;

  /** Something of the client's is under way; it would be lost with the stream. */
  get busy(): boolean {
    return this.outstanding > 0 || this.#pending.hasFrame;
  }

  data(memory: Memory, offset: number, length: number): void {
    // What comes behind the last query is read, so that closing does not reset the connection.
    if (!this.#accepts) return;
    const used = this.#pending.length === 0 ? this.#answerFrames(memory, offset, length) : 0;
    if (used < length && !this.gone) {
      const before = this.#pending.sizeBytes;
      this.#pending.append(memory, offset + used, length - used);
      this.#charge(this.bytes + this.#pending.sizeBytes - before);
    }
    this.settle();
  }

  ended(): void {
    if (this.#phase !== "finished") {
      this.#phase = "ended";
      this.settle();
    } else if (!this.#holdsMuch()) {
      this.#close(null);
    }
  }

  closed(): void {
    // The driver may tell the end of both sides in this way.
    this.#forget(this.#phase === "finished" ? null : "broken");
  }

  drained(): void {
    this.measure();
    if (this.gone) return;
    this.#touch();
    this.#watchIdle();
    this.settle();
  }

  /** Answers queries that were read before, now that others have had their turn. */
  turn(): void {
    if (this.gone) return;
    this.#answerPending();
    this.settle();
  }

  /** Answers on, and is retired as soon as the client is silent for a moment, or after a while. */
  drain(): void {
    if (this.#drainingMs !== Infinity) return;
    this.#drainingMs = this.#services.nowMs;
    if (this.#phase === "open") {
      this.#phase = "draining";
      this.#windowMs = -1;
    }
    this.#wakeAt(this.#services.nowMs + DRAIN.quietMs);
  }

  /** Answers what was read, at once, and reads no more: the stream's listener is about to go. */
  retire(): void {
    if (this.#accepts) this.#phase = "retired";
    this.#answerPending(Infinity);
    if (this.gone) return;
    // What is left could only be answered for a listener that is gone.
    this.#charge(this.bytes - this.#pending.sizeBytes);
    this.#pending.clear();
    this.settle();
  }

  /** Closes the stream for the sake of others. */
  evict(reason: CloseReason): void {
    this.#close(reason);
  }

  /** Sends a response that had to wait; two octets of length stand before it. */
  answer(memory: Memory, offset: number, length: number): void {
    this.#touch();
    this.#write(memory, offset, length);
  }

  /** Counts the memory that the stream takes, and what the client has taken of its responses. */
  measure(): void {
    if (this.gone) return;
    const { io } = this.#services;
    const inKernel = io.inKernel(this.id);
    this.#taken = this.#written - io.queued(this.id) - inKernel;
    this.countsKernel = inKernel > UNCOUNTED_BYTES;
    const counted = this.countsKernel ? inKernel : 0;
    this.#charge(this.#pending.sizeBytes + io.queueSize(this.id) + counted);
  }

  /** Goes on reading, or closes, as the stream's state asks. */
  settle(): void {
    // A query may be answered while it is being taken in; who takes it in settles afterwards.
    if (this.gone || this.#answering) return;
    const { io } = this.#services;
    const { hasFrame } = this.#pending;
    const mayAnswer = this.#mayAnswer();
    const soon = hasFrame && mayAnswer && this.#owner.enqueue(this);
    const queued = io.queued(this.id);
    if (this.#mayRetire(queued)) this.#phase = "retired";
    if (this.#windowMs < 0 && queued > 0) this.#watchRate(this.#limits.writeMs);
    // Counting its memory may have closed it.
    if (this.gone) return;
    const blocked = hasFrame ? !soon : this.#accepts && !mayAnswer;
    if (blocked !== this.#paused) {
      this.#paused = blocked;
      io.pause(this.id, blocked);
    }
    if (this.#accepts || hasFrame || this.outstanding > 0) return;
    if (this.#phase === "retired") this.#finish();
    else if (this.#phase === "ended") this.#end();
  }

  /** Closes this side, and waits for the client to close the other. */
  #finish(): void {
    this.#phase = "finished";
    this.#services.io.finish(this.id);
    this.#watchRate(DRAIN.finMs);
  }

  /** Closes the stream once the client has taken its last answers. */
  #end(): void {
    // The kernel keeps what is left after closing, uncounted.
    if (!this.#holdsMuch()) this.#close(null);
    else if (this.#windowMs < 0) this.#watchRate(LAST_LOOK_MS);
  }

  /** The client has not taken more than the kernel may keep for a stream that is closed. */
  #holdsMuch(): boolean {
    const { io } = this.#services;
    return io.queued(this.id) > 0 || this.#written - this.#taken > UNCOUNTED_BYTES &&
        io.inKernel(this.id) > UNCOUNTED_BYTES;
  }

  /** Queries are read. */
  get #accepts(): boolean {
    return this.#phase === "open" || this.#phase === "draining";
  }

  /** A query waits for its answer, or for the rest of its octets. */
  get #underWay(): boolean {
    return this.outstanding > 0 || this.#pending.length > 0;
  }

  #mayAnswer(): boolean {
    return this.outstanding < this.#limits.outstanding &&
      this.#services.io.queued(this.id) <= QUEUED_BYTES;
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
      this.#close(null);
      throw error;
    } finally {
      this.#answering = false;
    }
    if (this.gone || used === 0) return used;
    this.#touch();
    if (first) this.#watchIdle();
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
        // What is no query over TCP comes from a peer that has lost the thread.
        this.#phase = "ended";
        this.#fault = "protocol";
        at = end;
        break;
      }
      at += 2 + size;
      if (++this.#queries === this.#limits.queries) {
        this.#phase = "ended";
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
    this.#written += length;
    io.write(this.id, memory, offset, length);
    if (io.queued(this.id) > 0 || this.#written - this.#taken > UNCOUNTED_BYTES) this.measure();
  }

  #charge(bytes: number): void {
    const more = bytes - this.bytes;
    if (more === 0) return;
    this.bytes = bytes;
    this.#owner.charge(this, more);
  }

  #touch(): void {
    this.#activeMs = this.#services.nowMs;
    this.#owner.touch(this);
  }

  #watchIdle(): void {
    if (this.#phase === "draining" || this.#phase === "finished") return;
    this.#windowMs = -1;
    this.#wakeAt(this.#services.nowMs + this.#limits.idleMs);
  }

  /** Starts to measure the client's rate; looks at it again after `lookMs`. */
  #watchRate(lookMs: number): void {
    this.measure();
    if (this.gone || this.#phase === "draining") return;
    this.#windowMs = this.#services.nowMs;
    this.#windowTaken = this.#taken;
    this.#wakeAt(this.#windowMs + lookMs);
  }

  /** Sets the timer. Where the process stops, it fires when the stream's time is up at the latest. */
  #wakeAt(dueMs: number): void {
    this.#services.timers.set(this.#timer, Math.min(dueMs, this.#lastMs));
  }

  /** When it is closed whatever its client does; Infinity unless the process stops. */
  get #lastMs(): number {
    return this.#drainingMs + DRAIN.lastMs + DRAIN.finMs;
  }

  /** The timer: closes a stream whose client takes too little, or asks nothing, for too long. */
  #check(nowMs: number): void {
    this.measure();
    if (this.gone) return;
    if (nowMs >= this.#lastMs) this.#close(this.#holdsMuch() ? "slow" : null);
    else if (this.#phase === "draining") this.#checkDraining(nowMs);
    else if (this.#windowMs >= 0) this.#checkRate(nowMs);
    else this.#checkIdle(nowMs);
  }

  #checkDraining(nowMs: number): void {
    // Whoever has just connected is about to ask.
    const quietMs = this.#queries === 0 ? DRAIN.busyMs : DRAIN.quietMs;
    const busy = this.#underWay || this.#services.io.queued(this.id) > 0 ||
      nowMs < this.#activeMs + quietMs;
    this.#wakeAt(nowMs + DRAIN.quietMs);
    if (busy && nowMs < this.#drainingMs + DRAIN.lastMs) return;
    this.#phase = "retired";
    this.settle();
  }

  /** The client asks all the time while the process stops, and has sent nothing since its last answer. */
  #mayRetire(queued: number): boolean {
    return this.#phase === "draining" && this.#queries > 0 && queued === 0 && !this.#underWay &&
      this.#services.nowMs >= this.#drainingMs + DRAIN.busyMs;
  }

  #checkRate(nowMs: number): void {
    const { writeMs } = this.#limits;
    const finished = this.#phase === "finished";
    if (finished && !this.#holdsMuch()) {
      this.#close(null);
      return;
    }
    if (nowMs - this.#windowMs >= writeMs) {
      if (this.#taken - this.#windowTaken < MIN_RATE * writeMs / 1000) {
        this.#close("slow");
        return;
      }
      this.#windowMs = nowMs;
      this.#windowTaken = this.#taken;
    }
    const nextMs = this.#windowMs + writeMs;
    if (finished) {
      this.#wakeAt(Math.min(nowMs + DRAIN.finMs, nextMs));
    } else if (this.#services.io.queued(this.id) > 0) {
      this.#wakeAt(nextMs);
    } else if (this.#accepts) {
      this.#watchIdle();
    } else {
      this.#wakeAt(Math.min(nowMs + LAST_LOOK_MS, nextMs));
      this.settle();
    }
  }

  #checkIdle(nowMs: number): void {
    const { readMs, idleMs } = this.#limits;
    const dueMs = this.#activeMs + (this.#queries === 0 ? readMs : idleMs);
    if (nowMs < dueMs || this.busy) this.#wakeAt(Math.max(dueMs, nowMs + 100));
    else this.#close("idle");
  }

  /** Closes in order where nothing is left for the client, or else at once. */
  #close(reason: CloseReason | null): void {
    if (this.gone) return;
    const { io } = this.#services;
    const abrupt = this.#holdsMuch();
    this.#forget(reason ?? this.#fault);
    io.close(this.id, abrupt);
  }

  #forget(reason: CloseReason | null): void {
    this.gone = true;
    this.#pending.clear(this.#answering);
    this.#charge(0);
    this.#services.timers.clear(this.#timer);
    this.#owner.forget(this, reason);
  }
}

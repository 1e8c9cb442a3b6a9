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
  /** The client sends no more, or may not. */
  #ended = false;
  /** Why, where the client is to blame. */
  #fault: CloseReason | null = null;
  #releasing = false;
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
    services.timers.set(this.#timer, services.nowMs + this.#limits.readMs);
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
    if (this.#ended) return;
    const used = this.#pending.length === 0 ? this.#answerFrames(memory, offset, length) : 0;
    if (used < length && !this.gone) {
      const before = this.#pending.sizeBytes;
      this.#pending.append(memory, offset + used, length - used);
      this.#charge(this.bytes + this.#pending.sizeBytes - before);
    }
    this.settle();
  }

  ended(): void {
    this.#ended = true;
    this.settle();
  }

  closed(): void {
    this.#forget("broken");
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

  /**
   * Leaves the stream to another process: reads no more, and is detached once everything that was
   * read has been answered and sent.
   */
  release(): void {
    this.#releasing = true;
    this.settle();
  }

  /** Takes no more queries: answers what was read, and closes once what waits has been answered. */
  retire(): void {
    this.#ended = true;
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
    const mayAnswer = this.#mayAnswer();
    const { hasFrame } = this.#pending;
    const soon = hasFrame && mayAnswer && this.#owner.enqueue(this);
    if (this.#releasing && !hasFrame && this.#detach()) return;
    if (this.#windowMs < 0 && io.queued(this.id) > 0) this.#watchRate(this.#limits.writeMs);
    // Counting its memory may have closed it.
    if (this.gone) return;
    const blocked = this.#releasing || (hasFrame && !soon) || !mayAnswer;
    if (blocked !== this.#paused) {
      this.#paused = blocked;
      io.pause(this.id, blocked);
    }
    if (this.#ended && !hasFrame && this.outstanding === 0) this.#end();
  }

  /** Detaches an idle stream; returns whether it was detached. */
  #detach(): boolean {
    const { io } = this.#services;
    if (this.#ended || this.outstanding > 0 || io.queued(this.id) > 0) return false;
    const { memory, length } = this.#pending;
    const rest = memory?.bytes.slice(0, length) ?? new Uint8Array();
    this.#forget(null);
    io.detach!(this.id, this.listener, rest);
    return true;
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
        this.#ended = true;
        this.#fault = "protocol";
        at = end;
        break;
      }
      at += 2 + size;
      if (++this.#queries === this.#limits.queries) {
        this.#ended = true;
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
    const { timers, nowMs } = this.#services;
    this.#windowMs = -1;
    timers.set(this.#timer, nowMs + this.#limits.idleMs);
  }

  /** Starts to measure the client's rate; looks at it again after `lookMs`. */
  #watchRate(lookMs: number): void {
    const { timers, nowMs } = this.#services;
    this.measure();
    if (this.gone) return;
    this.#windowMs = nowMs;
    this.#windowTaken = this.#taken;
    timers.set(this.#timer, nowMs + lookMs);
  }

  /** The timer: closes a stream whose client takes too little, or asks nothing, for too long. */
  #check(nowMs: number): void {
    this.measure();
    if (this.gone) return;
    if (this.#windowMs >= 0) this.#checkRate(nowMs);
    else this.#checkIdle(nowMs);
  }

  #checkRate(nowMs: number): void {
    const { io, timers } = this.#services;
    const { writeMs } = this.#limits;
    const passedMs = nowMs - this.#windowMs;
    if (passedMs >= writeMs) {
      if (this.#taken - this.#windowTaken < MIN_RATE * writeMs / 1000) {
        this.#close("slow");
        return;
      }
      this.#windowMs = nowMs;
      this.#windowTaken = this.#taken;
    }
    if (io.queued(this.id) > 0) {
      timers.set(this.#timer, this.#windowMs + writeMs);
    } else if (!this.#ended) {
      this.#watchIdle();
    } else {
      timers.set(this.#timer, Math.min(nowMs + LAST_LOOK_MS, this.#windowMs + writeMs));
      this.settle();
    }
  }

  #checkIdle(nowMs: number): void {
    const { timers } = this.#services;
    const { readMs, idleMs } = this.#limits;
    const dueMs = this.#activeMs + (this.#queries === 0 ? readMs : idleMs);
    if (nowMs < dueMs || this.busy) timers.set(this.#timer, Math.max(dueMs, nowMs + 100));
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

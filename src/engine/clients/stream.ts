import { COUNTER } from "../counters.ts";
import type { StreamOrigin } from "../exchange/origin.ts";
import type { EngineServices } from "../handler.ts";
import type { StreamHandler } from "../io.ts";
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
import { DRAIN, LAST_CHECK_MS, type Phase, StreamWatch, type Watched } from "./stream_watch.ts";

/** A whole response fits behind. */
const BATCH_BYTES = 16 * 1024;
const FRAME_ROOM = 65535 + 2 + 16;
const batch = { memory: null as Memory | null };

/** Engine services for streams. */
export interface StreamServices extends EngineServices {
  query(
    origin: StreamOrigin,
    listener: number,
    memory: Memory,
    offset: number,
    length: number,
    out: Memory,
    outOffset: number,
  ): number;
}

/** Services of `ClientStreams`. */
export interface StreamOwner {
  allowance(): number;
  spend(cost: number): void;
  /** Whether `turn` precedes the next read. */
  enqueue(stream: ClientStream): boolean;
  touch(stream: ClientStream): void;
  /** Counts memory; may close streams. */
  charge(stream: ClientStream, bytes: number): void;
  forget(stream: ClientStream, reason: CloseReason | null): void;
}

/** A client's TCP connection. */
export class ClientStream implements StreamHandler, StreamOrigin, Watched {
  readonly kind = "stream";
  readonly id: number;
  readonly listener: number;
  readonly client: StreamClient<ClientStream>;
  activeMs: number;
  previous: ClientStream | null = null;
  next: ClientStream | null = null;
  waiting = false;
  nextWaiting: ClientStream | null = null;
  bytes = 0;
  countsKernel = false;
  outstanding = 0;
  phase: Phase = "open";

  readonly #services: StreamServices;
  readonly #owner: StreamOwner;
  readonly #limits: StreamLimits;
  readonly #watch: StreamWatch;
  readonly #pending: PendingFrames;
  #family: 4 | 6 | null = null;
  #fault: CloseReason | null = null;
  #answering = false;
  #paused = false;
  #queries = 0;

  constructor(
    services: StreamServices,
    owner: StreamOwner,
    { listener, id, client, limits }: {
      listener: number;
      id: number;
      client: StreamClient<ClientStream>;
      limits: StreamLimits;
    },
  ) {
    this.#services = services;
    this.#owner = owner;
    this.listener = listener;
    this.id = id;
    this.client = client;
    this.#limits = limits;
    this.activeMs = services.nowMs;
    this.#pending = new PendingFrames(services.buffers);
    this.#watch = new StreamWatch(this, limits, services);
  }

  get family(): 4 | 6 {
    return this.#family ??= this.#services.io.family("stream", this.id);
  }

  get gone(): boolean {
    return this.phase === "closed";
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
    // Unread input would reset the connection.
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
      this.phase = "ended";
      this.update();
    } else if (!this.#watch.hasBacklog) {
      this.close(null);
    }
  }

  closed(): void {
    // Some drivers so report the end of both sides.
    this.#forget(this.phase === "finished" ? null : "broken");
  }

  drained(): void {
    if (!this.measure()) return;
    this.#touch();
    this.#watch.watchIdle();
    this.update();
  }

  turn(): void {
    if (this.gone) return;
    this.#answerPending();
    this.update();
  }

  drain(): void {
    if (this.phase === "open") this.phase = "draining";
    this.#watch.drain();
  }

  stopReading(): void {
    if (this.#accepts) this.phase = "retired";
    this.update();
  }

  /** As `stopReading`, with answers before the listener is removed. */
  retire(): void {
    if (this.#accepts) this.phase = "retired";
    this.#answerPending(Infinity);
    if (this.gone) return;
    // The rest belongs to a removed listener.
    this.#charge(this.bytes - this.#pending.sizeBytes);
    this.#pending.clear();
    this.update();
  }

  /** Gracefully if everything is delivered. */
  close(reason: CloseReason | null): void {
    if (this.gone) return;
    const abrupt = this.#watch.hasBacklog;
    this.#forget(reason ?? this.#fault);
    this.#services.io.close(this.id, abrupt);
  }

  answer(memory: Memory, offset: number, length: number): void {
    this.#touch();
    this.#write(memory, offset, length);
  }

  measure(): boolean {
    if (this.gone) return false;
    const inKernel = this.#watch.measure();
    this.countsKernel = inKernel > UNCOUNTED_BYTES;
    const counted = this.countsKernel ? inKernel : 0;
    this.#charge(this.#pending.sizeBytes + this.#services.io.queueSize(this.id) + counted);
    return !this.gone;
  }

  update(): void {
    // The frame reader updates afterwards.
    if (this.gone || this.#answering) return;
    const { hasFrame } = this.#pending;
    const mayAnswer = this.#mayAnswer();
    const soon = hasFrame && mayAnswer && this.#owner.enqueue(this);
    const { measuring, queued } = this.#watch;
    // A paused stream may have unread queries.
    const resting = queued === 0 && !this.underWay && this.hasAsked && !this.#paused;
    if (this.phase === "draining" && resting && this.#watch.overdue) this.phase = "retired";
    if (queued > 0 && !measuring) this.#watch.watchRate();
    if (this.gone) return;
    const blocked = hasFrame ? !soon : this.#accepts && !mayAnswer;
    if (blocked !== this.#paused) {
      this.#paused = blocked;
      this.#services.io.pause(this.id, blocked);
    }
    if (hasFrame || this.outstanding > 0) return;
    if (this.phase === "retired") {
      this.phase = "finished";
      this.#services.io.finish(this.id);
      this.#watch.watchRate(DRAIN.finMs);
    } else if (this.phase === "ended") {
      // Undelivered bytes in the kernel are uncounted.
      if (!this.#watch.hasBacklog) this.close(null);
      else if (!this.#watch.measuring) this.#watch.watchRate(LAST_CHECK_MS);
    }
  }

  get #accepts(): boolean {
    return this.phase === "open" || this.phase === "draining";
  }

  #mayAnswer(): boolean {
    return this.outstanding < this.#limits.outstanding && this.#watch.queued <= QUEUED_BYTES;
  }

  #answerPending(allowance?: number): void {
    const { memory, length, sizeBytes } = this.#pending;
    if (memory === null || this.#answering) return;
    const used = this.#answerFrames(memory, 0, length, allowance);
    if (this.gone) return;
    this.#pending.consume(used);
    this.#charge(this.bytes + this.#pending.sizeBytes - sizeBytes);
  }

  /** Returns the bytes read (RFC 1035 section 4.2.2). */
  #answerFrames(
    memory: Memory,
    offset: number,
    length: number,
    allowance = this.#owner.allowance(),
  ): number {
    const first = this.#queries === 0;
    let used = length;
    this.#answering = true;
    try {
      used = this.#answerEach(memory, offset, length, allowance);
    } catch (error) {
      // The same query would throw again.
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

  #answerEach(memory: Memory, offset: number, length: number, allowance: number): number {
    const services = this.#services;
    const out = batch.memory ??= new Memory(BATCH_BYTES + FRAME_ROOM);
    const { view, bytes } = memory;
    const end = offset + length;
    let at = offset;
    let filled = 0;
    let left = allowance;
    while (left > 0 && at + 2 <= end) {
      const size = view.getUint16(at);
      if (at + 2 + size > end || !this.#mayAnswer()) break;
      // Responses are aligned to eight, then moved together.
      const composeAt = (filled + 2 + 7) & ~7;
      services.values[COUNTER.TCP_QUERIES]!++;
      const written = services.query(this, this.listener, memory, at + 2, size, out, composeAt);
      const cost = costOf(written);
      left -= cost;
      this.#owner.spend(cost);
      // Another stream's response may have closed it.
      if (this.gone) return length;
      if (written > 0) {
        if (composeAt !== filled + 2) {
          out.bytes.copyWithin(filled + 2, composeAt, composeAt + written);
        }
        out.view.setUint16(filled, written);
        filled += 2 + written;
      } else if (size < 12 || (bytes[at + 4]! & 0x80) !== 0) {
        // Not a query: the framing is lost.
        this.phase = "ended";
        this.#fault = "protocol";
        at = end;
        break;
      }
      at += 2 + size;
      if (++this.#queries === this.#limits.queries) {
        this.phase = "ended";
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
    this.#watch.send(length);
    this.#services.io.write(this.id, memory, offset, length);
    if (this.#watch.mayHaveBacklog) this.measure();
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
    this.phase = "closed";
    this.#pending.clear(this.#answering);
    this.#charge(0);
    this.#watch.stop();
    this.#owner.forget(this, reason);
  }
}

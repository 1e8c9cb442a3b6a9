import type { StreamHandler } from "../io/contract.ts";
import { COUNTER } from "./counters.ts";
import type { Engine } from "./engine.ts";
import { Memory } from "./memory.ts";
import type { Timer } from "./timers.ts";

/** What a client may do over TCP (RFC 7766 section 6). */
export interface StreamLimits {
  /** Open streams in all. */
  streams: number;
  /** Time for the first query to be in, whole. */
  readMs: number;
  /** Time in which the client must take something of what waits for it. */
  writeMs: number;
  /** Time without a further whole query after which a stream is closed. */
  idleMs: number;
  /** Queries that one stream may bring; -1 for any number. */
  queries: number;
  /** Queries of one stream that may wait at a time; more are not read. */
  outstanding: number;
  /** Bytes of responses that may wait for a slow reader; above, no query is read. */
  queuedBytes: number;
}

/** The times are CoreDNS's; the other bounds keep a stream under 200 KB. */
const DEFAULTS: StreamLimits = {
  streams: 4096,
  readMs: 3000,
  writeMs: 5000,
  idleMs: 10_000,
  queries: -1,
  outstanding: 128,
  queuedBytes: 65536,
};

/**
 * Times of a stream while the process stops; together less than the six seconds that a data plane has.
 * A stream is closed after `quietMs` of silence, so that most likely no query crosses the FIN; one
 * that has brought no query yet after `busyMs`. One whose client asks all the time is closed behind an
 * answer once `busyMs` have passed, since it is then that the client has sent nothing else yet. After
 * `lastMs` any is closed. The client has `finMs` to close its side.
 */
const DRAIN = { quietMs: 100, busyMs: 1000, lastMs: 3000, finMs: 2000 } as const;

/** Responses of one read, written out together; a whole response always fits. */
const batch = { size: 262_144, memory: null as Memory | null };
const FRAME_ROOM = 65535 + 2 + 16;

/** A client's TCP connection: frames in, frames out, in whatever order the answers come. */
export class ClientStream implements StreamHandler {
  readonly id: number;
  readonly listener: number;
  /** Queries that wait for an upstream. */
  outstanding = 0;
  /** Closed, by whichever side. */
  gone = false;

  readonly #engine: Engine;
  readonly #limits: StreamLimits;
  readonly #all: Set<ClientStream>;
  readonly #timer: Timer;
  /** Bytes read but not yet answered: part of a frame, or frames that wait for their turn. */
  #pending: Memory | null = null;
  #pendingLength = 0;
  /** Nothing that comes from now on is answered. */
  #ended = false;
  /** Closed by this side while the client may still send, so not at once (`#finish`). */
  #retired = false;
  /** Since when the stream is about to be closed, because the process stops. */
  #drainingMs = Infinity;
  /** Nothing is sent any more; what remains is to wait for the client to close its side. */
  #finished = false;
  /** Frames are being answered right now. */
  #answering = false;
  #paused = false;
  #activeMs: number;
  #queries = 0;
  /** Bytes handed over for sending. */
  #written = 0;
  /** The client does not take its responses as fast as they come. */
  #slow = false;
  /** How many bytes it had taken when last looked at, while slow. */
  #taken = 0;

  /** Takes a stream in, or returns null when there are too many. */
  static open(
    engine: Engine,
    listener: number,
    id: number,
    all: Set<ClientStream>,
    limits: Partial<StreamLimits> = {},
  ): ClientStream | null {
    const merged = { ...DEFAULTS, ...limits };
    if (all.size >= merged.streams) return null;
    return new ClientStream(engine, listener, id, all, merged);
  }

  private constructor(
    engine: Engine,
    listener: number,
    id: number,
    all: Set<ClientStream>,
    limits: StreamLimits,
  ) {
    this.#engine = engine;
    this.listener = listener;
    this.id = id;
    this.#all = all;
    this.#limits = limits;
    this.#activeMs = engine.nowMs;
    // The timer is not moved for every query: it looks at the last activity when it fires.
    this.#timer = engine.timers.create((nowMs) => this.#check(nowMs));
    engine.timers.set(this.#timer, engine.nowMs + limits.readMs);
    all.add(this);
  }

  data(memory: Memory, offset: number, length: number): void {
    // What comes behind the last query is read, so that closing does not reset the connection.
    if (this.#ended) return;
    if (this.#pending === null) {
      const used = this.#answerFrames(memory, offset, length);
      if (!this.gone && used < length) this.#keep(memory, offset + used, length - used);
    } else {
      this.#keep(memory, offset, length);
      this.#answerPending();
    }
    this.settle();
  }

  ended(): void {
    this.#ended = true;
    // Its side is closed: nothing of it can be answered with a reset any more.
    this.#retired = false;
    this.settle();
  }

  closed(): void {
    this.#forget();
  }

  /** Answers on, and closes as soon as the client is silent for a moment, or after a while. */
  drain(): void {
    const { nowMs, timers } = this.#engine;
    if (this.#finished || this.#draining) return;
    this.#drainingMs = nowMs;
    timers.set(this.#timer, nowMs + DRAIN.quietMs);
  }

  /** Takes no more queries: closes once what waits has been answered. */
  retire(): void {
    this.#end();
    this.settle();
    // What is left could only be answered for a listener that is gone.
    this.#pending = null;
    this.#pendingLength = 0;
    this.settle();
  }

  drained(): void {
    this.#slow = false;
    this.#activeMs = this.#engine.nowMs;
    this.#watchIdle();
    this.#answerPending();
    this.settle();
  }

  /** Sends a response that had to wait; two octets of length stand before it. */
  answer(memory: Memory, offset: number, length: number): void {
    this.#activeMs = this.#engine.nowMs;
    this.#write(memory, offset, length);
  }

  /** Family of the client's address. */
  get family(): 4 | 6 {
    return this.#family ??= this.#engine.io.family("stream", this.id);
  }
  #family: 4 | 6 | null = null;

  /** Goes on reading, or closes, as the stream's state asks. */
  settle(): void {
    // A query may be answered while it is being taken in; who takes it in settles afterwards.
    if (this.gone || this.#answering) return;
    if (this.#pendingLength > 0 && this.#mayAnswer()) this.#answerPending();
    if (this.gone) return;
    const queued = this.#engine.io.queued(this.id);
    if (queued > 0 && !this.#slow) this.#watchSlow(queued);
    const blocked = !this.#mayAnswer();
    if (blocked !== this.#paused) {
      this.#paused = blocked;
      this.#engine.io.pause(this.id, blocked);
    }
    // Infinity unless the process stops.
    if (this.#engine.nowMs >= this.#drainingMs + DRAIN.busyMs && this.#queries > 0) {
      if (queued === 0 && !this.#isUnderWay) this.#end();
    }
    if (!this.#ended || this.outstanding > 0 || blocked) return;
    if (this.#retired) this.#finish();
    else this.#close();
  }

  #mayAnswer(): boolean {
    return this.outstanding < this.#limits.outstanding &&
      this.#engine.io.queued(this.id) <= this.#limits.queuedBytes;
  }

  #answerPending(): void {
    const pending = this.#pending;
    if (pending === null || this.gone || this.#answering) return;
    const used = this.#answerFrames(pending, 0, this.#pendingLength);
    if (this.gone) return;
    if (used === this.#pendingLength) {
      this.#pending = null;
      this.#pendingLength = 0;
    } else if (used > 0) {
      pending.bytes.copyWithin(0, used, this.#pendingLength);
      this.#pendingLength -= used;
    }
  }

  /** Answers whole frames (RFC 1035 section 4.2.2) and returns how many bytes they took. */
  #answerFrames(memory: Memory, offset: number, length: number): number {
    const first = this.#queries === 0;
    this.#answering = true;
    const used = this.#answerEach(memory, offset, length);
    this.#answering = false;
    if (first && used > 0 && !this.gone) this.#watchIdle();
    return used;
  }

  #answerEach(memory: Memory, offset: number, length: number): number {
    const engine = this.#engine;
    const out = batch.memory ??= new Memory(batch.size);
    const { view, bytes } = memory;
    const end = offset + length;
    let at = offset;
    let filled = 0;
    while (at + 2 <= end) {
      const size = view.getUint16(at);
      if (at + 2 + size > end || !this.#mayAnswer()) break;
      if (filled + FRAME_ROOM > batch.size) {
        this.#write(out, 0, filled);
        filled = 0;
      }
      // Responses are written at a multiple of eight, then moved up against the one before.
      const composeAt = (filled + 2 + 7) & ~7;
      const written = engine.streamQuery(this, memory, at + 2, size, out, composeAt);
      if (written > 0) {
        if (composeAt !== filled + 2) {
          out.bytes.copyWithin(filled + 2, composeAt, composeAt + written);
        }
        out.view.setUint16(filled, written);
        filled += 2 + written;
      } else if (size < 12 || (bytes[at + 4]! & 0x80) !== 0) {
        // What is no query over TCP comes from a peer that has lost the thread.
        engine.values[COUNTER.STREAMS_BROKEN]!++;
        if (filled > 0) this.#write(out, 0, filled);
        this.#close();
        return length;
      }
      at += 2 + size;
      if (++this.#queries === this.#limits.queries) {
        this.#ended = true;
        at = end;
      }
    }
    if (at > offset) this.#activeMs = engine.nowMs;
    if (filled > 0) this.#write(out, 0, filled);
    return at - offset;
  }

  #keep(memory: Memory, offset: number, length: number): void {
    const total = this.#pendingLength + length;
    let pending = this.#pending;
    if (pending === null || pending.bytes.length < total) {
      pending = new Memory(Math.max(512, 2 * total));
      if (this.#pending !== null) {
        pending.bytes.set(this.#pending.bytes.subarray(0, this.#pendingLength));
      }
      this.#pending = pending;
    }
    pending.bytes.set(memory.bytes.subarray(offset, offset + length), this.#pendingLength);
    this.#pendingLength = total;
  }

  #write(memory: Memory, offset: number, length: number): void {
    this.#written += length;
    this.#engine.io.write(this.id, memory, offset, length);
  }

  #watchIdle(): void {
    if (this.#draining || this.#finished) return;
    const { timers, nowMs } = this.#engine;
    timers.set(this.#timer, nowMs + this.#limits.idleMs);
  }

  /** Starts the write timeout. */
  #watchSlow(queued: number): void {
    if (this.#draining || this.#finished) return;
    const { timers, nowMs } = this.#engine;
    this.#slow = true;
    this.#taken = this.#written - queued;
    timers.set(this.#timer, nowMs + this.#limits.writeMs);
  }

  /** The timer: closes a stream whose client takes nothing, or asks nothing, for too long. */
  #check(nowMs: number): void {
    const { io, timers } = this.#engine;
    const { readMs, writeMs, idleMs } = this.#limits;
    if (this.#finished) {
      this.#close();
      return;
    }
    if (this.#draining) {
      this.#checkDrained(nowMs);
      return;
    }
    if (this.#slow) {
      const queued = io.queued(this.id);
      const taken = this.#written - queued;
      if (queued > 0 && taken === this.#taken) {
        this.#engine.values[COUNTER.STREAMS_BROKEN]!++;
        this.#close(true);
        return;
      }
      this.#taken = taken;
      this.#slow = queued > 0;
      if (this.#slow) {
        timers.set(this.#timer, nowMs + writeMs);
        return;
      }
    }
    const dueMs = this.#activeMs + (this.#queries === 0 ? readMs : idleMs);
    if (nowMs < dueMs || this.outstanding > 0) {
      timers.set(this.#timer, Math.max(dueMs, nowMs + 100));
    } else {
      this.#close();
    }
  }

  /** The timer while the process stops. */
  #checkDrained(nowMs: number): void {
    // Whoever has just connected is about to ask.
    const quietMs = this.#queries === 0 ? DRAIN.busyMs : DRAIN.quietMs;
    const busy = this.#isUnderWay || this.#engine.io.queued(this.id) > 0 ||
      nowMs < this.#activeMs + quietMs;
    if (!busy || nowMs >= this.#drainingMs + DRAIN.lastMs) this.retire();
    if (!this.gone && !this.#finished) this.#engine.timers.set(this.#timer, nowMs + DRAIN.quietMs);
  }

  get #draining(): boolean {
    return this.#drainingMs !== Infinity;
  }

  /** A query waits for its answer, or for the rest of its octets. */
  get #isUnderWay(): boolean {
    return this.outstanding > 0 || this.#pendingLength > 0;
  }

  /** Answers nothing that comes from now on; the stream is closed from this side. */
  #end(): void {
    if (this.#ended) return;
    this.#retired = true;
    this.#ended = true;
  }

  /** Closes this side, and waits for the client to close the other. */
  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    const { io, nowMs, timers } = this.#engine;
    timers.set(this.#timer, nowMs + DRAIN.finMs);
    io.finish(this.id);
  }

  #close(abrupt = false): void {
    this.#forget();
    this.#engine.io.close(this.id, abrupt);
  }

  #forget(): void {
    this.gone = true;
    this.#pending = null;
    this.#pendingLength = 0;
    this.#engine.timers.clear(this.#timer);
    this.#all.delete(this);
  }
}

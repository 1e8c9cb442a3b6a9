/**
 * Encrypted streams to upstreams, as the data plane sees them. TLS and HTTP/2 are spoken in a thread
 * of their own, which may be slow or fail. Here are only the numbers of the streams, and two rings of
 * records (`ring.ts`): commands go out, events come back.
 *
 * No turn of the loop takes in more than `LANE_TURN`, so an upstream that sends much costs other
 * clients no more than that. What is under way is bounded: towards the upstream by the ring and by
 * `MAX_LANE_QUEUED` for each stream; on the way back by the other ring, behind which the thread stops
 * reading from the network.
 *
 * A full ring means that the thread is slow, which says nothing of any upstream: no stream is closed
 * for it. `hasRoom` says that a query cannot be sent now. Streams that are opened or closed meanwhile
 * wait in a backlog until the thread has made room, and wakes the data plane.
 */
import { Memory } from "../engine/memory.ts";
import type { Endpoint, StreamHandler } from "../engine/io.ts";
import { COMMAND, EVENT, type LaneEndpoint, type LaneLink } from "./lane_link.ts";
import { RingReader, RingWriter } from "./ring.ts";

/** Numbers of the lane's streams begin here; those of the drivers' own stay below. */
export const LANE_STREAMS = 1 << 24;
const LAST_STREAM = 0x7fffffff;
/** Octets that may wait for a peer that does not read; a stream with more is closed. */
export const MAX_LANE_QUEUED = 256 * 1024;
/**
 * Bytes handled in one turn of the loop: the longest DNS message, which costs half a millisecond to
 * check, or as many short ones as a batch of datagrams holds.
 */
export const LANE_TURN = { bytes: 65536, events: 128 } as const;
const MEMORY_BYTES = 65536;
const NO_THREAD = "TLS is not ready yet";
const OVERFLOW = "the upstream does not read what it is sent";
const NO_ROOM = "too much is under way to upstreams over TLS";

interface LaneStream {
  readonly handler: StreamHandler;
  queued: number;
  /** The thread does not know of it yet: its OPEN is in the backlog. */
  pending: boolean;
  /** Why it will be closed at the end of this turn, or null. */
  failing: string | null;
}

/** The data plane's end of the lane. Drivers call `receive` and `flush` each turn, the clock set. */
export class Lane {
  readonly #most: number;
  readonly #streams = new Map<number, LaneStream>();
  readonly #memory = new Memory(MEMORY_BYTES);
  #link: LaneLink | null = null;
  #commands: RingWriter | null = null;
  #events: RingReader | null = null;
  /** The reason without a link. */
  #why = NO_THREAD;
  #next = LANE_STREAMS;
  readonly #failing: number[] = [];
  /**
   * Commands that open and close streams and found no room, oldest first. There are at most two for
   * each stream that may be open: one that the thread does not know of is dropped without a CLOSE,
   * and no stream is opened past the backlog.
   */
  #backlog: Command[] = [];

  /** @param most - streams that may be open at a time */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Uses another link from now on, or none: `why` tells the streams that are opened then. Streams of
   * the link before are gone; their handlers are told.
   */
  attach(link: LaneLink | null, why: string): void {
    this.#link?.port.close();
    this.#link = link;
    this.#commands = link === null ? null : new RingWriter(link.commands);
    this.#events = link === null ? null : new RingReader(link.events);
    this.#why = why;
    this.#backlog = [];
    const gone = [...this.#streams];
    for (const [stream, { handler }] of gone) {
      if (this.#streams.delete(stream)) handler.closed(why);
    }
  }

  /** Opens a stream to an upstream that has `tls` set; below zero where too many are open. */
  connect(endpoint: Endpoint, handler: StreamHandler): number {
    if (endpoint.tls === null || this.#streams.size >= this.#most) return -1;
    if (this.#next > LAST_STREAM) this.#next = LANE_STREAMS;
    while (this.#streams.has(this.#next)) this.#next++;
    const stream = this.#next++;
    const entry: LaneStream = { handler, queued: 0, pending: false, failing: null };
    this.#streams.set(stream, entry);
    if (this.#commands === null) this.#fail(stream, entry, this.#why);
    else {
      const payload = encode(laneEndpoint(endpoint));
      entry.pending = !this.#say({ command: COMMAND.OPEN, stream, payload });
    }
    return stream;
  }

  /** Whether so many octets can be sent now; where not, the thread is slow and not the upstream. */
  hasRoom(stream: number, length: number): boolean {
    const entry = this.#streams.get(stream);
    // Writes to a stream that is gone, or about to go, are dropped.
    if (entry === undefined || entry.failing !== null || this.#commands === null) return true;
    return !entry.pending && length <= this.#commands.room;
  }

  /** Sends octets with all else of this turn. Ask `hasRoom` before: else the stream may fail. */
  write(stream: number, memory: Memory, offset: number, length: number): void {
    const entry = this.#streams.get(stream);
    if (entry === undefined || entry.failing !== null) return;
    if (entry.queued + length > MAX_LANE_QUEUED) this.#fail(stream, entry, OVERFLOW);
    else if (!this.hasRoom(stream, length)) this.#fail(stream, entry, NO_ROOM);
    else {
      this.#commands!.write(COMMAND.WRITE, stream, memory.bytes, offset, offset + length);
      entry.queued += length;
    }
  }

  /** Octets that the peer has not taken yet. */
  queued(stream: number): number {
    return this.#streams.get(stream)?.queued ?? 0;
  }

  /**
   * Closes a stream; its handler is not called any more.
   *
   * @param abrupt - for what the peer has done: for a while no stream to it is opened
   */
  close(stream: number, abrupt = false): void {
    const entry = this.#streams.get(stream);
    if (entry === undefined) return;
    this.#streams.delete(stream);
    if (entry.pending) {
      this.#backlog = this.#backlog.filter((command) => command.stream !== stream);
    } else this.#say({ command: abrupt ? COMMAND.SHUN : COMMAND.CLOSE, stream, payload: NOTHING });
  }

  /** Hands what has come to the streams' handlers; true where there is more for the next turn. */
  receive(): boolean {
    const events = this.#events;
    if (events === null) return false;
    events.begin();
    let left: number = LANE_TURN.events;
    let bytes: number = LANE_TURN.bytes;
    // A handler may change the link.
    while (left > 0 && bytes > 0 && events === this.#events && events.next()) {
      left--;
      bytes -= events.length;
      const entry = this.#streams.get(events.stream);
      if (entry !== undefined) this.#dispatch(events, entry);
    }
    if (events.release() && events === this.#events) this.#wake();
    return left === 0 || bytes <= 0;
  }

  /** Sends what this turn has brought, and tells streams that could not be served. */
  flush(): void {
    // A handler that is told may ask again on another stream, which may fail as well: that one is
    // told in the next turn, so that this one ends.
    for (const stream of this.#failing.splice(0)) {
      const entry = this.#streams.get(stream);
      if (entry === undefined) continue;
      this.close(stream);
      entry.handler.closed(entry.failing!);
    }
    this.#catchUp();
    if (this.#commands?.publish() === true) this.#wake();
  }

  /** Whether `flush` has left something for the next turn, which should come soon. */
  get unfinished(): boolean {
    return this.#failing.length > 0;
  }

  #dispatch(events: RingReader, entry: LaneStream): void {
    const { stream, length } = events;
    const { bytes, view } = this.#memory;
    switch (events.kind) {
      case EVENT.CONNECTED:
        entry.handler.connected?.();
        break;
      case EVENT.DATA:
        for (let at = 0; at < length && this.#streams.has(stream); at += MEMORY_BYTES) {
          const size = Math.min(MEMORY_BYTES, length - at);
          events.copy(bytes, at, at + size);
          entry.handler.data(this.#memory, 0, size);
        }
        break;
      case EVENT.SENT:
        events.copy(bytes);
        entry.queued -= view.getUint32(0);
        if (entry.queued === 0) entry.handler.drained?.();
        break;
      case EVENT.CLOSED:
        events.copy(bytes);
        this.#streams.delete(stream);
        entry.handler.closed(decoder.decode(bytes.subarray(0, length)));
    }
  }

  /** Has a stream closed at the end of this turn: the engine is in the middle of something. */
  #fail(stream: number, entry: LaneStream, why: string): void {
    entry.failing = why;
    this.#failing.push(stream);
  }

  /** Writes a command; false where it waits in the backlog. */
  #say(command: Command): boolean {
    if (this.#commands === null) return true;
    if (this.#backlog.length === 0 && this.#write(command)) return true;
    this.#backlog.push(command);
    return false;
  }

  /** Writes the backlog as far as there is room. The thread wakes the data plane for the rest. */
  #catchUp(): void {
    const backlog = this.#backlog;
    let done = 0;
    for (; done < backlog.length; done++) {
      const next = backlog[done]!;
      // Room may have been made between the two.
      if (
        !this.#write(next) && !(this.#commands!.waitForRoom(next.payload.length) &&
          this.#write(next))
      ) break;
      const entry = this.#streams.get(next.stream);
      if (entry !== undefined) entry.pending = false;
    }
    backlog.splice(0, done);
  }

  #write({ command, stream, payload }: Command): boolean {
    return this.#commands!.write(command, stream, payload);
  }

  #wake(): void {
    this.#link?.port.postMessage(0);
  }
}

/** A command that opens or closes a stream. */
interface Command {
  readonly command: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

const NOTHING: Uint8Array = new Uint8Array();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function encode(endpoint: LaneEndpoint): Uint8Array {
  return encoder.encode(JSON.stringify(endpoint));
}

function laneEndpoint({ address, scope, source, tls }: Endpoint): LaneEndpoint {
  return {
    address: scope === "" ? address.hostname() : `${address.hostname()}%${scope}`,
    port: address.port,
    source: source === null ? null : source.hostname(),
    tls: tls!,
  };
}

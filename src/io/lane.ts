/**
 * A lane's end: encrypted streams. One ring carries commands to the TLS thread, another events
 * back; while that is full, the thread stops reading. With a full command ring, `hasRoom` defers queries,
 * and a backlog keeps opens and closes.
 */
import type { Endpoint, StreamHandler } from "../engine/io.ts";
import { Memory } from "../engine/memory.ts";
import { COMMAND, EVENT, type LaneEndpoint, type LaneLink } from "./lane_link.ts";
import { RingReader, RingWriter } from "./ring.ts";

/** A driver's streams have lower numbers. */
export const LANE_STREAMS = 1 << 24;
const LAST_STREAM = 0x7fffffff;
/** For a slow peer; more octets close the stream. */
export const MAX_LANE_QUEUED = 256 * 1024;
/** The longest DNS message takes 0.5 ms to check. */
export const LANE_TURN = { bytes: 65536, events: 128 } as const;
const MEMORY_BYTES = 65536;
const NO_THREAD = "TLS is not ready yet";
const OVERFLOW = "the upstream does not read what it is sent";
const NO_ROOM = "too much is under way to upstreams over TLS";

interface LaneStream {
  readonly handler: StreamHandler;
  queued: number;
  pending: boolean;
  /** At this turn's end. */
  failing: string | null;
}

interface Command {
  readonly command: number;
  readonly stream: number;
  readonly payload: Uint8Array;
}

/** TLS streams. Drivers call `receive` and `flush` each turn. */
export class Lane {
  readonly #limit: number;
  readonly #streams = new Map<number, LaneStream>();
  readonly #memory = new Memory(MEMORY_BYTES);
  #link: LaneLink | null = null;
  #commands: RingWriter | null = null;
  #events: RingReader | null = null;
  #why = NO_THREAD;
  #next = LANE_STREAMS;
  readonly #failing: number[] = [];
  /** At most two commands per stream. */
  #backlog: Command[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Closes all streams. */
  attach(link: LaneLink | null, why: string): void {
    this.#link?.port.close();
    this.#link = link;
    this.#commands = link === null ? null : new RingWriter(link.commands);
    this.#events = link === null ? null : new RingReader(link.events);
    this.#why = why;
    this.#backlog = [];
    for (const [stream, { handler }] of [...this.#streams]) {
      if (this.#streams.delete(stream)) handler.closed(why);
    }
  }

  connect(endpoint: Endpoint, handler: StreamHandler): number {
    if (endpoint.tls === null || this.#streams.size >= this.#limit) return -1;
    if (this.#next > LAST_STREAM) this.#next = LANE_STREAMS;
    while (this.#streams.has(this.#next)) this.#next++;
    const stream = this.#next++;
    const entry: LaneStream = { handler, queued: 0, pending: false, failing: null };
    this.#streams.set(stream, entry);
    if (this.#commands === null) this.#fail(stream, entry, this.#why);
    else entry.pending = !this.#command(COMMAND.OPEN, stream, encode(endpoint));
    return stream;
  }

  /** True for a closing stream. */
  hasRoom(stream: number, length: number): boolean {
    const entry = this.#streams.get(stream);
    if (entry === undefined || entry.failing !== null || this.#commands === null) return true;
    return !entry.pending && length <= this.#commands.room;
  }

  /** Without `hasRoom` the stream fails. */
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

  queued(stream: number): number {
    return this.#streams.get(stream)?.queued ?? 0;
  }

  /** @param abrupt - avoid the peer */
  close(stream: number, abrupt = false): void {
    const entry = this.#streams.get(stream);
    if (entry === undefined) return;
    this.#streams.delete(stream);
    if (entry.pending) {
      this.#backlog = this.#backlog.filter((command) => command.stream !== stream);
    } else this.#command(abrupt ? COMMAND.SHUN : COMMAND.CLOSE, stream, NOTHING);
  }

  /** Whether events are left. */
  receive(): boolean {
    const events = this.#events;
    if (events === null) return false;
    events.begin();
    let left: number = LANE_TURN.events;
    let bytes: number = LANE_TURN.bytes;
    // Handlers may replace the link.
    while (left > 0 && bytes > 0 && events === this.#events && events.next()) {
      left--;
      bytes -= events.length;
      const entry = this.#streams.get(events.stream);
      if (entry !== undefined) this.#dispatch(events, entry);
    }
    if (events.release() && events === this.#events) this.#wake();
    return left === 0 || bytes <= 0;
  }

  flush(): void {
    // Further failures wait for the next turn.
    for (const stream of this.#failing.splice(0)) {
      const entry = this.#streams.get(stream);
      if (entry === undefined) continue;
      this.close(stream);
      entry.handler.closed(entry.failing!);
    }
    this.#writeBacklog();
    if (this.#commands?.publish() === true) this.#wake();
  }

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
        entry.handler.closed(new TextDecoder().decode(bytes.subarray(0, length)));
    }
  }

  /** The handler must not be called now. */
  #fail(stream: number, entry: LaneStream, why: string): void {
    entry.failing = why;
    this.#failing.push(stream);
  }

  #command(command: number, stream: number, payload: Uint8Array): boolean {
    const ring = this.#commands;
    if (ring === null) return true;
    if (this.#backlog.length === 0 && ring.write(command, stream, payload)) return true;
    this.#backlog.push({ command, stream, payload });
    return false;
  }

  #writeBacklog(): void {
    let done = 0;
    for (const { command, stream, payload } of this.#backlog) {
      const ring = this.#commands!;
      const write = () => ring.write(command, stream, payload);
      // Room may have been made.
      if (!write() && !(ring.waitForRoom(payload.length) && write())) break;
      const entry = this.#streams.get(stream);
      if (entry !== undefined) entry.pending = false;
      done++;
    }
    this.#backlog.splice(0, done);
  }

  #wake(): void {
    this.#link?.port.postMessage(0);
  }
}

const NOTHING: Uint8Array = new Uint8Array();

function encode({ address, scope, source, tls }: Endpoint): Uint8Array {
  const endpoint: LaneEndpoint = {
    address: scope === "" ? address.hostname() : `${address.hostname()}%${scope}`,
    port: address.port,
    source: source === null ? null : source.hostname(),
    tls: tls!,
  };
  return new TextEncoder().encode(JSON.stringify(endpoint));
}

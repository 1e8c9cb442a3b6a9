/**
 * Encrypted streams to upstreams, as the data plane sees them. TLS and HTTP/2 are spoken by the
 * control plane, in a thread that may be slow; here are only the numbers of the streams, what the
 * engine has written in this turn, and what has come back.
 *
 * Everything that one turn of the loop brings goes over in one message, bytes by transfer. What is
 * under way is bounded in both directions: `sent` events tell what the peer's socket has taken,
 * `taken` commands what the engine has.
 */
import { Memory } from "../engine/memory.ts";
import type { Endpoint, StreamHandler, TlsEndpoint } from "./contract.ts";

/** Numbers of the lane's streams begin here; those of the drivers' own stay below. */
export const LANE_STREAMS = 1 << 24;
/** Bytes that may wait for a peer that does not read; a stream with more is closed. */
export const MAX_LANE_QUEUED = 256 * 1024;
/**
 * Bytes that may be under way to the engine; a stream with more is closed. Far above what a pipeline
 * of queries brings: Deno's node:tls reads on although it is told to pause, so there is no way to
 * hold a peer up.
 */
export const MAX_LANE_UNREAD = 16 * 1024 * 1024;
/** Bytes taken by the engine are told in steps of this size. */
const TAKEN_STEP = 32 * 1024;
const FIRST_BUFFER = 2048;

/** Where a stream of the lane leads: an endpoint in a form that can be sent between threads. */
export interface LaneEndpoint {
  /** IP address, with the scope of a link-local one (`fe80::1%eth0`). */
  readonly address: string;
  readonly port: number;
  /** Address to send from, or null. */
  readonly source: string | null;
  readonly tls: TlsEndpoint;
}

/** What the data plane asks of the control plane. */
export type LaneCommand =
  | { type: "open"; stream: number; endpoint: LaneEndpoint }
  | { type: "write"; stream: number; bytes: Uint8Array<ArrayBuffer> }
  | { type: "pause"; stream: number; paused: boolean }
  | { type: "taken"; stream: number; sizeBytes: number }
  | { type: "close"; stream: number };

/** What the control plane reports of a stream. */
export type LaneEvent =
  | { type: "connected"; stream: number }
  | { type: "data"; stream: number; bytes: Uint8Array<ArrayBuffer> }
  | { type: "sent"; stream: number; sizeBytes: number }
  | { type: "ended"; stream: number }
  | { type: "closed"; stream: number; why: string };

/** Bytes of one stream in one message, while more are added. */
interface Gathered {
  readonly type: "write";
  readonly stream: number;
  bytes: Uint8Array<ArrayBuffer>;
  length: number;
}

interface LaneStream {
  readonly handler: StreamHandler;
  /** What has been written in this turn, or null. */
  out: Gathered | null;
  queued: number;
  untold: number;
  overflowed: boolean;
}

/** The data plane's end of the lane. Drivers call `receive` with the clock set, `flush` each turn. */
export class Lane {
  readonly #post: (commands: LaneCommand[]) => void;
  readonly #most: number;
  readonly #streams = new Map<number, LaneStream>();
  readonly #memory = new Memory(65536);
  #next = LANE_STREAMS;
  #commands: LaneCommand[] = [];
  #written: Gathered[] = [];
  #overflowed: number[] = [];

  /**
   * @param post - takes over the commands and the buffers in them
   * @param most - streams that may be open at a time
   */
  constructor(post: (commands: LaneCommand[]) => void, most: number) {
    this.#post = post;
    this.#most = most;
  }

  /** Opens a stream to an upstream that has `tls` set; below zero where too many are open. */
  connect(endpoint: Endpoint, handler: StreamHandler): number {
    const { address, scope, source, tls } = endpoint;
    if (tls === null || this.#streams.size >= this.#most) return -1;
    const stream = this.#next++;
    this.#streams.set(stream, { handler, out: null, queued: 0, untold: 0, overflowed: false });
    this.#commands.push({
      type: "open",
      stream,
      endpoint: {
        address: scope === "" ? address.hostname() : `${address.hostname()}%${scope}`,
        port: address.port,
        source: source === null ? null : source.hostname(),
        tls,
      },
    });
    return stream;
  }

  /** Sends bytes with all else of this turn. */
  write(stream: number, memory: Memory, offset: number, length: number): void {
    const entry = this.#streams.get(stream);
    if (entry === undefined || entry.overflowed) return;
    if (entry.queued + length > MAX_LANE_QUEUED) {
      // Told with the next flush: the engine is in the middle of something here.
      entry.overflowed = true;
      this.#overflowed.push(stream);
      return;
    }
    let out = entry.out;
    if (out === null) {
      out = { type: "write", stream, bytes: new Uint8Array(FIRST_BUFFER), length: 0 };
      entry.out = out;
      this.#written.push(out);
      this.#commands.push(out);
    }
    gather(out, memory.bytes, offset, length);
    entry.queued += length;
  }

  /** Bytes that the peer has not taken yet. */
  queued(stream: number): number {
    return this.#streams.get(stream)?.queued ?? 0;
  }

  /** Stops or goes on handing over what comes; what is under way still does. */
  pause(stream: number, paused: boolean): void {
    if (this.#streams.has(stream)) this.#commands.push({ type: "pause", stream, paused });
  }

  /** Closes a stream; its handler is not called any more. */
  close(stream: number): void {
    if (this.#streams.delete(stream)) this.#commands.push({ type: "close", stream });
  }

  /** Hands what the control plane reports to the streams' handlers. */
  receive(events: readonly LaneEvent[]): void {
    for (const event of events) {
      const entry = this.#streams.get(event.stream);
      if (entry === undefined) continue;
      switch (event.type) {
        case "connected":
          entry.handler.connected?.();
          break;
        case "data":
          this.#deliver(event.stream, entry, event.bytes);
          break;
        case "sent":
          entry.queued -= event.sizeBytes;
          if (entry.queued === 0) entry.handler.drained?.();
          break;
        case "ended":
          entry.handler.ended();
          break;
        case "closed":
          this.#streams.delete(event.stream);
          entry.handler.closed(event.why);
      }
    }
  }

  /** Sends what this turn has brought, in one message. */
  flush(): void {
    // A handler that is told may ask again on another stream, which may be too full as well.
    while (this.#overflowed.length > 0) {
      const stream = this.#overflowed.pop()!;
      const handler = this.#streams.get(stream)?.handler;
      this.close(stream);
      handler?.closed("the upstream does not read what it is sent");
    }
    if (this.#commands.length === 0) return;
    for (const out of this.#written) {
      out.bytes = out.bytes.subarray(0, out.length);
      const entry = this.#streams.get(out.stream);
      if (entry !== undefined) entry.out = null;
    }
    const commands = this.#commands;
    this.#commands = [];
    this.#written = [];
    this.#post(commands);
  }

  #deliver(stream: number, entry: LaneStream, bytes: Uint8Array): void {
    const memory = this.#memory;
    for (let at = 0; at < bytes.length; at += memory.bytes.length) {
      const piece = bytes.subarray(at, at + memory.bytes.length);
      memory.bytes.set(piece);
      entry.handler.data(memory, 0, piece.length);
      if (!this.#streams.has(stream)) return;
    }
    entry.untold += bytes.length;
    if (entry.untold < TAKEN_STEP) return;
    this.#commands.push({ type: "taken", stream, sizeBytes: entry.untold });
    entry.untold = 0;
  }
}

/** Appends bytes, into a larger buffer where they do not fit. */
export function gather(
  target: { bytes: Uint8Array<ArrayBuffer>; length: number },
  source: Uint8Array,
  offset: number,
  length: number,
): void {
  if (target.length + length > target.bytes.length) {
    const larger = new Uint8Array(2 * (target.length + length));
    larger.set(target.bytes.subarray(0, target.length));
    target.bytes = larger;
  }
  target.bytes.set(source.subarray(offset, offset + length), target.length);
  target.length += length;
}

/** The buffers of commands or events, for `postMessage` to hand over. */
export function laneBuffers(messages: readonly (LaneCommand | LaneEvent)[]): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const message of messages) if ("bytes" in message) buffers.push(message.bytes.buffer);
  return buffers;
}

/**
 * The TLS thread's end of a lane (`io/lane.ts`). Data without room waits in its paused stream, so TCP
 * slows the peer; streams get room in rotation.
 */
import { COMMAND, EVENT, type LaneLink } from "../../io/lane_link.ts";
import { RingReader, RingWriter } from "../../io/ring.ts";
import { joinBytes } from "./http/join_bytes.ts";
import { TlsStream } from "./stream.ts";
import type { TlsContext } from "./tls/context.ts";

const SLICE_BYTES = 16 * 1024;
/** In UTF-8; paths are longest. */
const MAX_WHY_BYTES = 512;
/** Room for any record except DATA, which is split. */
const MIN_ROOM = MAX_WHY_BYTES + 64;

/** Encrypted streams of one data plane. */
export class TlsLane {
  readonly #wake: () => void;
  readonly #context: TlsContext;
  readonly #commands: RingReader;
  readonly #events: RingWriter;
  readonly #streams = new Map<number, TlsStream>();
  readonly #waiting = new Set<TlsStream>();
  #closed = false;

  constructor(
    link: Pick<LaneLink, "commands" | "events">,
    { wake, context }: { wake: () => void; context: TlsContext },
  ) {
    this.#wake = wake;
    this.#context = context;
    this.#commands = new RingReader(link.commands);
    this.#events = new RingWriter(link.events);
  }

  get size(): number {
    return this.#streams.size;
  }

  receive(): void {
    if (this.#closed) return;
    const written = new Map<TlsStream, Uint8Array[]>();
    const commands = this.#commands;
    commands.begin();
    while (commands.next()) {
      if (commands.kind === COMMAND.OPEN) {
        this.#open(commands.stream);
        continue;
      }
      const stream = this.#streams.get(commands.stream);
      if (stream === undefined) continue;
      if (commands.kind === COMMAND.WRITE) {
        if (stream.why !== null) continue;
        const pieces = written.get(stream) ?? [];
        pieces.push(this.#payload());
        written.set(stream, pieces);
      } else {
        if (commands.kind === COMMAND.SHUN) stream.shun();
        this.#forget(stream);
      }
    }
    if (commands.release()) this.#wake();
    for (const [stream, pieces] of written) {
      const bytes = joinBytes(pieces);
      if (this.#streams.get(stream.id) !== stream || stream.why !== null) continue;
      stream.charge(bytes.length);
      stream.write(bytes);
    }
    this.#pump();
  }

  async checkCertificates(): Promise<void> {
    await Promise.all([...this.#streams.values()].map((stream) => stream.checkCertificates()));
  }

  close(): void {
    this.#closed = true;
    for (const stream of [...this.#streams.values()]) this.#forget(stream);
  }

  #payload(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#commands.length);
    this.#context.allocated(bytes.length);
    this.#commands.copy(bytes);
    return bytes;
  }

  #open(id: number): void {
    const endpoint = JSON.parse(new TextDecoder().decode(this.#payload()));
    const onChange = (changed: TlsStream) => this.#report(changed);
    const stream = new TlsStream(id, endpoint, { context: this.#context, onChange });
    this.#streams.set(id, stream);
    void stream.open();
  }

  #forget(stream: TlsStream): void {
    this.#streams.delete(stream.id);
    this.#waiting.delete(stream);
    stream.close();
    this.#context.budget.forget(stream);
  }

  #report(stream: TlsStream): void {
    if (this.#closed || this.#streams.get(stream.id) !== stream || stream.waiting) return;
    if (this.#waiting.size > 0 || !this.#emit(stream)) {
      this.#wait(stream);
      this.#pump();
    }
    this.#publish();
  }

  #wait(stream: TlsStream): void {
    this.#waiting.add(stream);
    stream.setWaiting(true);
  }

  #pump(): void {
    while (this.#waiting.size > 0 && this.#events.waitForRoom(MIN_ROOM)) {
      const stream: TlsStream = this.#waiting.values().next().value!;
      this.#waiting.delete(stream);
      if (this.#emit(stream)) stream.setWaiting(false);
      else this.#wait(stream);
    }
    this.#publish();
  }

  #publish(): void {
    if (this.#events.publish()) this.#wake();
  }

  #emit(stream: TlsStream): boolean {
    const events = this.#events;
    const { id, received } = stream;
    if (events.room < MIN_ROOM) return false;
    if (stream.connected) events.write(EVENT.CONNECTED, id);
    stream.connected = false;
    if (stream.sentBytes > 0) {
      const size = new Uint8Array(4);
      new DataView(size.buffer).setUint32(0, stream.sentBytes);
      events.write(EVENT.SENT, id, size);
      stream.sentBytes = 0;
    }
    let left = SLICE_BYTES;
    while (received.length > 0) {
      const piece = received[0]!;
      const from = stream.delivered;
      const size = Math.min(piece.length - from, left, events.room);
      if (left === 0 || events.room < MIN_ROOM) return false;
      events.write(EVENT.DATA, id, piece, from, from + size);
      left -= size;
      stream.delivered += size;
      if (stream.delivered < piece.length) continue;
      received.shift();
      stream.delivered = 0;
      stream.charge(-piece.length);
    }
    if (stream.why === null) return true;
    if (events.room < MIN_ROOM) return false;
    const why = new TextEncoder().encode(stream.why).subarray(0, MAX_WHY_BYTES);
    events.write(EVENT.CLOSED, id, why);
    this.#forget(stream);
    return true;
  }
}

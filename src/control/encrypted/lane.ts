/**
 * The other end of the lane (`io/lane.ts`): opens encrypted streams for one data plane, and hands on
 * what becomes of them.
 *
 * What finds no room in the ring waits with its stream, which is not read from meanwhile: the peer is
 * held up by TCP. Streams that wait get room in turns, so one that sends much delays no other.
 */
import { COMMAND, EVENT, type LaneEndpoint, type LaneLink } from "../../io/lane_link.ts";
import { RingReader, RingWriter } from "../../io/ring.ts";
import type { ByteBudget, Holder } from "./tls/byte_budget.ts";
import { joinBytes } from "./http/join_bytes.ts";
import type { TlsContext } from "./tls/context.ts";
import { TlsStream } from "./stream.ts";

/** Octets that a stream may put into the ring before another has its turn. */
const SLICE_BYTES = 16 * 1024;
/** Octets of a reason, in UTF-8; the paths of files are the longest part. */
const MAX_WHY = 512;
/** Room below which a stream does not go on: any record but DATA fits, which is cut to what there is. */
const LEAST_ROOM = MAX_WHY + 64;
const EXHAUSTED =
  "all upstreams over TLS hold too much memory together, this connection most of all";

/** How a lane is run. */
export interface TlsLaneOptions {
  /** Wakes the data plane. */
  wake: () => void;
  context: TlsContext;
}

/** A stream, and what of it the data plane does not know yet. */
interface LaneStream extends Holder {
  readonly id: number;
  readonly tls: TlsStream;
  /** It waits for room in the ring. */
  waiting: boolean;
  connected: boolean;
  sent: number;
  readonly pieces: Uint8Array[];
  /** Octets of the first piece that are in the ring. */
  taken: number;
  /** Why it ended, or null. */
  closed: string | null;
  /** What the data plane has written to it in this turn. */
  readonly written: Uint8Array[];
}

/** All encrypted streams of one data plane's thread. */
export class TlsLane {
  readonly #wake: () => void;
  readonly #context: TlsContext;
  readonly #budget: ByteBudget;
  readonly #commands: RingReader;
  readonly #events: RingWriter;
  readonly #streams = new Map<number, LaneStream>();
  /** Streams that wait for room, in the order in which they get it. */
  readonly #waiting = new Set<LaneStream>();
  readonly #size = new Uint8Array(4);
  #closed = false;

  constructor(
    link: Pick<LaneLink, "commands" | "events">,
    { wake, context }: TlsLaneOptions,
  ) {
    this.#wake = wake;
    this.#context = context;
    this.#budget = context.budget;
    this.#commands = new RingReader(link.commands);
    this.#events = new RingWriter(link.events);
  }

  /** Streams that are open or being opened, or have not been reported as closed yet. */
  get size(): number {
    return this.#streams.size;
  }

  /** Does what the data plane asks for, and goes on with what waited for room. Never throws. */
  receive(): void {
    if (this.#closed) return;
    const written = new Set<LaneStream>();
    const commands = this.#commands;
    commands.begin();
    while (commands.next()) {
      const { stream } = commands;
      if (commands.kind === COMMAND.OPEN) {
        this.#open(stream, JSON.parse(new TextDecoder().decode(this.#payload())));
      } else if (commands.kind === COMMAND.WRITE) {
        const entry = this.#streams.get(stream);
        if (entry === undefined || entry.closed !== null) continue;
        entry.written.push(this.#payload());
        written.add(entry);
      } else {
        const entry = this.#streams.get(stream);
        if (commands.kind === COMMAND.SHUN) entry?.tls.shun();
        this.#forget(entry);
      }
    }
    // It waits for room to open or close a stream.
    if (commands.release()) this.#wake();
    for (const entry of written) {
      const bytes = joinBytes(entry.written.splice(0));
      // It may have been closed meanwhile, also to make room for others.
      if (this.#streams.get(entry.id) !== entry || entry.closed !== null) continue;
      this.#budget.change(entry, bytes.length);
      if (entry.closed === null) entry.tls.write(bytes);
    }
    this.#pump();
  }

  /** Closes streams whose certificates have been replaced since they were opened. */
  retire(isStale: (endpoint: LaneEndpoint, version: string) => boolean): void {
    for (const { tls } of this.#streams.values()) {
      if (tls.version !== null && isStale(tls.endpoint, tls.version)) {
        tls.fail("certificates have been replaced");
      }
    }
  }

  /** Endpoints of the open streams. */
  *endpoints(): Generator<LaneEndpoint> {
    for (const { tls } of this.#streams.values()) yield tls.endpoint;
  }

  /** Closes all streams and says no more of them. */
  close(): void {
    this.#closed = true;
    for (const entry of [...this.#streams.values()]) this.#forget(entry);
  }

  #payload(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#commands.length);
    this.#context.allocated(bytes.length);
    this.#commands.copy(bytes);
    return bytes;
  }

  #open(id: number, endpoint: LaneEndpoint): void {
    const entry: LaneStream = {
      id,
      held: 0,
      waiting: false,
      connected: false,
      sent: 0,
      pieces: [],
      taken: 0,
      closed: null,
      written: [],
      exhausted: () => {
        this.#context.count("budget");
        entry.pieces.length = 0;
        entry.taken = 0;
        entry.tls.fail(EXHAUSTED);
      },
      tls: new TlsStream(endpoint, this.#context, {
        connected: () => {
          entry.connected = true;
          this.#offer(entry);
        },
        data: (bytes) => {
          entry.pieces.push(bytes);
          // As they came, and decrypted.
          this.#context.allocated(2 * bytes.length);
          this.#budget.change(entry, bytes.length);
          this.#offer(entry);
        },
        sent: (sizeBytes) => {
          entry.sent += sizeBytes;
          this.#budget.change(entry, -sizeBytes);
          this.#offer(entry);
        },
        held: (change) => this.#budget.change(entry, change),
        closed: (why) => {
          entry.closed = why;
          this.#offer(entry);
        },
      }),
    };
    this.#streams.set(id, entry);
    void entry.tls.open();
  }

  #forget(entry: LaneStream | undefined): void {
    if (entry === undefined) return;
    this.#streams.delete(entry.id);
    this.#waiting.delete(entry);
    entry.tls.close();
    this.#budget.forget(entry);
  }

  /** Tells the data plane what is new of a stream, or has it wait for room. */
  #offer(entry: LaneStream): void {
    if (this.#closed || this.#streams.get(entry.id) !== entry || entry.waiting) return;
    // Waiting streams come first.
    if (this.#waiting.size > 0 || !this.#emit(entry)) {
      this.#wait(entry);
      this.#pump();
    }
    this.#publish();
  }

  #wait(entry: LaneStream): void {
    this.#waiting.add(entry);
    if (!entry.waiting) entry.tls.pause(true);
    entry.waiting = true;
  }

  /** Gives room to those who wait for it, in turns. */
  #pump(): void {
    while (this.#waiting.size > 0 && this.#events.waitForRoom(LEAST_ROOM)) {
      const [entry] = this.#waiting;
      this.#waiting.delete(entry!);
      if (!this.#emit(entry!)) {
        this.#wait(entry!);
        continue;
      }
      entry!.waiting = false;
      if (this.#streams.get(entry!.id) === entry) entry!.tls.pause(false);
    }
    this.#publish();
  }

  #publish(): void {
    if (this.#events.publish()) this.#wake();
  }

  /**
   * Puts what is new of a stream into the ring; true if that is all. Otherwise it has put in a slice,
   * or there is no more room than `LEAST_ROOM`.
   */
  #emit(entry: LaneStream): boolean {
    const events = this.#events;
    const { id, pieces } = entry;
    if (events.room < LEAST_ROOM) return false;
    if (entry.connected) {
      events.write(EVENT.CONNECTED, id);
      entry.connected = false;
    }
    if (entry.sent > 0) {
      new DataView(this.#size.buffer).setUint32(0, entry.sent);
      events.write(EVENT.SENT, id, this.#size);
      entry.sent = 0;
    }
    let left = SLICE_BYTES;
    while (pieces.length > 0) {
      const [piece] = pieces;
      const size = Math.min(piece!.length - entry.taken, left, events.room);
      if (left === 0 || events.room < LEAST_ROOM) return false;
      events.write(EVENT.DATA, id, piece, entry.taken, entry.taken + size);
      left -= size;
      entry.taken += size;
      if (entry.taken < piece!.length) continue;
      pieces.shift();
      entry.taken = 0;
      this.#budget.change(entry, -piece!.length);
    }
    if (entry.closed === null) return true;
    if (events.room < LEAST_ROOM) return false;
    const why = new TextEncoder().encode(entry.closed).subarray(0, MAX_WHY);
    events.write(EVENT.CLOSED, id, why);
    this.#forget(entry);
    return true;
  }
}

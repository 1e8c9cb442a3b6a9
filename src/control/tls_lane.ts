/**
 * The control plane's end of the lane: opens encrypted streams for one data plane, and reports what
 * becomes of them. What happens in one turn of the event loop is reported in one message.
 */
import { gather, type LaneCommand, type LaneEvent } from "../io/lane.ts";
import { TlsStream } from "./tls_stream.ts";

const FIRST_BUFFER = 2048;
/** Time for the TCP and TLS handshakes together; less than the engine waits, so that it is told why. */
const HANDSHAKE_MS = 2500;

/** How a lane is run. */
export interface TlsLaneOptions {
  /** Takes the events, with the buffers in them, to the data plane. */
  send: (events: LaneEvent[]) => void;
  handshakeMs?: number;
}

type DataEvent = Extract<LaneEvent, { type: "data" }> & { length: number };
type SentEvent = Extract<LaneEvent, { type: "sent" }>;

/** All encrypted streams of one data plane's thread. */
export class TlsLane {
  readonly #options: TlsLaneOptions;
  readonly #streams = new Map<number, TlsStream>();
  /** What came for a stream since the last message. */
  readonly #data = new Map<number, DataEvent>();
  /** What was taken of a stream since then. */
  readonly #sent = new Map<number, SentEvent>();
  #events: LaneEvent[] = [];
  #scheduled = false;
  #closed = false;

  constructor(options: TlsLaneOptions) {
    this.#options = options;
  }

  /** Streams that are open or being opened. */
  get size(): number {
    return this.#streams.size;
  }

  /** Does what the data plane asks for. Never throws; what fails is an event. */
  receive(commands: readonly LaneCommand[]): void {
    if (this.#closed) return;
    for (const command of commands) {
      const { stream } = command;
      if (command.type === "open") this.#open(command);
      else if (command.type === "write") this.#streams.get(stream)?.write(command.bytes);
      else if (command.type === "pause") this.#streams.get(stream)?.pause(command.paused);
      else if (command.type === "taken") this.#streams.get(stream)?.taken(command.sizeBytes);
      else {
        this.#streams.get(stream)?.close();
        this.#streams.delete(stream);
      }
    }
  }

  /** Closes all streams and says no more of them. */
  close(): void {
    this.#closed = true;
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
    this.#data.clear();
    this.#sent.clear();
    this.#events = [];
  }

  #open({ stream, endpoint }: Extract<LaneCommand, { type: "open" }>): void {
    const opened = new TlsStream(endpoint, {
      handshakeMs: this.#options.handshakeMs ?? HANDSHAKE_MS,
      events: {
        connected: () => this.#report({ type: "connected", stream }),
        data: (bytes) => this.#gather(stream, bytes),
        sent: (sizeBytes) => this.#count(stream, sizeBytes),
        ended: () => this.#report({ type: "ended", stream }),
        closed: (why) => {
          this.#streams.delete(stream);
          this.#report({ type: "closed", stream, why });
        },
      },
    });
    this.#streams.set(stream, opened);
    void opened.open();
  }

  #gather(stream: number, bytes: Uint8Array): void {
    let event = this.#data.get(stream);
    if (event === undefined) {
      event = { type: "data", stream, bytes: new Uint8Array(FIRST_BUFFER), length: 0 };
      this.#data.set(stream, event);
      this.#report(event);
    }
    gather(event, bytes, 0, bytes.length);
  }

  #count(stream: number, sizeBytes: number): void {
    const event = this.#sent.get(stream);
    if (event !== undefined) {
      event.sizeBytes += sizeBytes;
      return;
    }
    const first: SentEvent = { type: "sent", stream, sizeBytes };
    this.#sent.set(stream, first);
    this.#report(first);
  }

  #report(event: LaneEvent): void {
    if (this.#closed) return;
    this.#events.push(event);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    for (const event of this.#data.values()) event.bytes = event.bytes.subarray(0, event.length);
    this.#data.clear();
    this.#sent.clear();
    const events = this.#events;
    this.#events = [];
    this.#options.send(events);
  }
}

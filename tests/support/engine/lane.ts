import { systemClock } from "../../../src/base/clock.ts";
import { ByteBudget } from "../../../src/control/encrypted/tls/byte_budget.ts";
import { CredentialFiles } from "../../../src/control/encrypted/tls/files.ts";
import type { TlsContext } from "../../../src/control/encrypted/tls/context.ts";
import { TlsLane } from "../../../src/control/encrypted/lane.ts";
import { Refusals } from "../../../src/control/encrypted/tls/refusals.ts";
import { Address, parseAddress } from "../../../src/dns/address.ts";
import { Memory } from "../../../src/engine/memory.ts";
import type { Endpoint, StreamHandler, TlsEndpoint } from "../../../src/engine/io.ts";
import { Lane } from "../../../src/io/lane.ts";
import { makeLink } from "../../../src/io/lane_link.ts";
import { frame } from "../simulation/simulation.ts";

/** Only a hang takes this long. */
const LIMIT_MS = 60_000;
const BUDGET_BYTES = 32 * 2 ** 20;

export interface LaneTarget extends Partial<TlsEndpoint> {
  address?: string;
  port: number;
  source?: string;
}

/** Both ends of the lane in one thread; each wakes the other. */
export class LanePair {
  readonly lane: Lane;
  readonly control: TlsLane;
  readonly budget: ByteBudget;
  readonly context: TlsContext;
  readonly counted: string[] = [];
  allocatedBytes = 0;
  nowMs = 0;
  held = false;
  #scheduled = false;
  readonly #port: MessagePort;

  constructor(options: { handshakeMs?: number; budgetBytes?: number } = {}) {
    this.budget = new ByteBudget(options.budgetBytes ?? BUDGET_BYTES);
    const { plane, thread } = makeLink();
    this.context = {
      clock: systemClock,
      budget: this.budget,
      files: new CredentialFiles(),
      refusals: new Refusals({ ...systemClock, now: () => this.nowMs }),
      handshakeMs: options.handshakeMs ?? LIMIT_MS,
      count: (reason) => void this.counted.push(reason),
      allocated: (sizeBytes) => void (this.allocatedBytes += sizeBytes),
    };
    this.control = new TlsLane(thread, { wake: () => this.turn(), context: this.context });
    this.#port = thread.port;
    thread.port.onmessage = () => this.control.receive();
    this.lane = new Lane(1024);
    this.lane.attach(plane, "");
  }

  turn(): void {
    if (this.#scheduled || this.held) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      if (this.held) return;
      const more = this.lane.receive();
      this.lane.flush();
      if (more || this.lane.unfinished) this.turn();
    });
  }

  /** Waits until pending messages have been handled. */
  async settled(): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve));
  }

  close(): void {
    this.control.close();
    this.lane.attach(null, "closed");
    this.#port.close();
  }

  open(target: LaneTarget): LaneClient {
    const client = new LaneClient(this.lane);
    client.stream = this.lane.connect(endpointOf(target), client);
    this.lane.flush();
    this.turn();
    return client;
  }

  /** Opens a stream that is expected to fail; returns the reason. */
  async refusal(target: LaneTarget): Promise<string> {
    const client = this.open(target);
    await client.until(() => client.connects > 0 || client.why !== null);
    // The peer may refuse after the handshake (a missing certificate in TLS 1.3).
    client.send(new Uint8Array(12));
    await client.until(() => client.why !== null);
    return client.why!;
  }
}

/** A stream as the engine would use it; collects frames. */
export class LaneClient implements StreamHandler {
  stream = -1;
  connects = 0;
  ends = 0;
  why: string | null = null;
  frames: Uint8Array[] = [];
  #held: number[] = [];
  #wake: (() => void) | null = null;
  readonly #lane: Lane;

  constructor(lane: Lane) {
    this.#lane = lane;
  }

  send(...messages: Uint8Array[]): void {
    for (const message of messages) {
      const bytes = frame(message);
      const memory = new Memory(bytes.length);
      memory.bytes.set(bytes);
      this.#lane.write(this.stream, memory, 0, bytes.length);
    }
    this.#lane.flush();
  }

  async ask(...messages: Uint8Array[]): Promise<Uint8Array[]> {
    const wanted = this.frames.length + messages.length;
    this.send(...messages);
    await this.until(() => this.frames.length >= wanted || this.why !== null);
    return this.frames.splice(0);
  }

  close(): void {
    this.#lane.close(this.stream);
    this.#lane.flush();
  }

  /** Waits until a report makes the condition true. */
  async until(condition: () => boolean): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake?.();
    }, LIMIT_MS);
    while (!condition()) {
      if (late) throw new Error(`it did not happen within ${LIMIT_MS} ms (closed: ${this.why})`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    clearTimeout(timer);
  }

  connected(): void {
    this.connects++;
    this.#wake?.();
  }

  data(memory: Memory, offset: number, length: number): void {
    for (let i = 0; i < length; i++) this.#held.push(memory.bytes[offset + i]!);
    for (;;) {
      const size = (this.#held[0]! << 8) | this.#held[1]!;
      if (this.#held.length < 2 || this.#held.length < 2 + size) break;
      this.frames.push(Uint8Array.from(this.#held.slice(2, 2 + size)));
      this.#held = this.#held.slice(2 + size);
    }
    this.#wake?.();
  }

  ended(): void {
    this.ends++;
    this.#wake?.();
  }

  closed(why?: string): void {
    this.why = why ?? "";
    this.#wake?.();
  }

  drained(): void {
    this.#wake?.();
  }
}

function endpointOf(target: LaneTarget): Endpoint {
  const { address = "127.0.0.1", port, source, ...tls } = target;
  return {
    address: toAddress(address, port),
    scope: "",
    source: source === undefined ? null : toAddress(source, 0),
    tls: {
      serverName: "dns.example.org",
      certFile: null,
      keyFile: null,
      caFile: null,
      http: null,
      ...tls,
    },
  };
}

function toAddress(text: string, port: number): Address {
  const bytes = parseAddress(text)!;
  const address = new Address();
  address.family = bytes.length === 4 ? 4 : 6;
  address.bytes.set(bytes);
  address.port = port;
  return address;
}

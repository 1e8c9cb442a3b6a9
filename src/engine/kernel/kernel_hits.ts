import type { ListenerConfig } from "../../config/types.ts";
import { parseAddress } from "../../dns/address.ts";
import { FLAG, HEADER_SIZE } from "../../dns/constants.ts";
import { COUNTER, type CounterBook } from "../counters.ts";
import type { Timers } from "../timers.ts";
import { MAX_ENDPOINTS, SLOT } from "./layout.ts";
import { KernelAnswer, type KernelEndpoint, type KernelMemory, KernelTable } from "./table.ts";

/** Without a sign of life for so long, the program passes all queries up. */
const ALIVE_MS = 2000;
const TURN_MS = 500;
/** Turns until all slots are read. */
const TURNS = 2;
/** Name's end, type and class. */
const QUESTION_REST = 4;

/** What it needs of the engine. */
interface Services {
  readonly nowMs: number;
  readonly timers: Timers;
  readonly values: Float64Array;
  readonly random: () => number;
  readonly counter: CounterBook["counter"];
}

/** Answers of the program from one slot. Reused. */
export interface KernelAnswers {
  listener: number;
  /** As `Exchange.zone`. */
  zone: number;
  family: 4 | 6;
  qtype: number;
  dnssecOk: boolean;
  rcode: number;
  count: number;
  /** Of `count`. */
  edns: number;
  /** Octets without EDNS; with it, both have `OPT_SIZE` more. */
  querySize: number;
  answerSize: number;
}

/** Who published an answer. */
export interface KernelPublisher {
  /** The program answered; `row` is -1 if the entry is gone. */
  answered(row: number, answers: KernelAnswers): void;
  /** The entry's slot has been taken back. */
  withdrawn(row: number, index: number): void;
}

/** Hits that a program in the kernel answers (`layout.ts`). Without memory it publishes nothing. */
export class KernelHits {
  /** To fill and `publish`. */
  readonly answer: KernelAnswer = new KernelAnswer();
  /** By slot, for lists of its publisher. */
  next: Int32Array = new Int32Array(0);
  readonly #answers: KernelAnswers = {
    listener: 0,
    zone: 0,
    family: 4,
    qtype: 0,
    dnssecOk: false,
    rcode: 0,
    count: 0,
    edns: 0,
    querySize: 0,
    answerSize: 0,
  };
  #engine!: Services;
  #table: KernelTable | null = null;
  #entries = 0;
  #turns = 0;
  #endTurns = () => {};
  #listeners: readonly ListenerConfig[] = [];
  /** By listener; -1: not served in the kernel. */
  #endpointOf = new Int32Array(0);
  #families: (4 | 6)[] = [];
  #listenerOf: number[] = [];
  // By slot.
  #publishers: (KernelPublisher | null)[] = [];
  #rows = new Int32Array(0);
  #zones = new Int32Array(0);
  #seen = new Int32Array(0);
  #seenEdns = new Int32Array(0);

  /** Once, before `open`. */
  attach(engine: Services): void {
    this.#engine = engine;
    this.#entries = engine.counter("nodens_kernel_entries");
  }

  get isOpen(): boolean {
    return this.#table !== null;
  }

  /** Publishes there from now on. */
  open(memory: KernelMemory): void {
    this.close();
    const { nowMs, random, timers } = this.#engine;
    const table = new KernelTable(memory, random(), nowMs);
    const { slots } = table;
    this.#publishers = new Array(slots).fill(null);
    this.#rows = new Int32Array(slots).fill(-1);
    this.next = new Int32Array(slots);
    this.#zones = new Int32Array(slots);
    this.#seen = new Int32Array(slots);
    this.#seenEdns = new Int32Array(slots);
    this.#table = table;
    this.#serve(this.#listeners);
    const timer = timers.create((nowMs) => {
      this.#turn(nowMs);
      timers.set(timer, nowMs + TURN_MS);
    });
    this.#endTurns = () => timers.clear(timer);
    timers.set(timer, nowMs + TURN_MS);
    table.aliveUntilMs = nowMs + ALIVE_MS;
  }

  /** Takes everything back. */
  close(): void {
    const table = this.#table;
    if (table === null) return;
    this.#endTurns();
    table.aliveUntilMs = 0;
    table.setEndpoints([]);
    this.clear();
    this.#table = null;
  }

  /** Takes everything back. */
  clear(): void {
    const table = this.#table;
    if (table === null) return;
    this.collect();
    table.clear(this.#engine.nowMs);
    for (let i = 0; i < this.#rows.length; i++) {
      if (this.#rows[i]! < 0) continue;
      this.#publishers[i]!.withdrawn(this.#rows[i]!, i);
      this.#rows[i] = -1;
    }
    this.#engine.values[this.#entries] = 0;
  }

  /** Takes everything back, and serves these listeners. */
  configure(listeners: readonly ListenerConfig[]): void {
    this.#listeners = listeners;
    if (this.#table === null) return;
    this.clear();
    this.#serve(listeners);
  }

  #serve(listeners: readonly ListenerConfig[]): void {
    const endpoints: KernelEndpoint[] = [];
    this.#endpointOf = new Int32Array(listeners.length).fill(-1);
    this.#listenerOf = [];
    for (const [listener, { address, port, zones }] of listeners.entries()) {
      const bytes = parseAddress(address);
      // Of listeners for all addresses, the kernel does not know which are local.
      if (bytes === null || bytes.every((octet) => octet === 0) || zones.length === 0) continue;
      if (endpoints.length === MAX_ENDPOINTS) break;
      this.#endpointOf[listener] = endpoints.length;
      this.#listenerOf.push(listener);
      endpoints.push({ family: bytes.length === 4 ? 4 : 6, bytes, port });
    }
    this.#families = endpoints.map(({ family }) => family);
    this.#table!.setEndpoints(endpoints);
  }

  /** -1: the program does not see its queries. */
  endpointOf(listener: number): number {
    return this.#table === null ? -1 : this.#endpointOf[listener] ?? -1;
  }

  /** Publishes `answer`; returns its slot, or -1 without room. */
  publish(publisher: KernelPublisher, row: number, zone: number): number {
    const table = this.#table!;
    const { nowMs, values } = this.#engine;
    const index = table.put(this.answer, nowMs);
    if (index < 0) {
      const idle = table.idle((index) => this.#isIdle(index));
      if (idle >= 0) this.withdraw(idle);
      return -1;
    }
    this.#publishers[index] = publisher;
    this.#rows[index] = row;
    this.#zones[index] = zone;
    this.#seen[index] = 0;
    this.#seenEdns[index] = 0;
    values[this.#entries] = table.size;
    return index;
  }

  /** Takes an answer back. */
  withdraw(index: number): void {
    const table = this.#table;
    const row = this.#rows[index]!;
    if (table === null || row < 0) return;
    this.read(index);
    this.#publishers[index]!.withdrawn(row, index);
    // Last answers are read while the slot rests.
    this.#rows[index] = -1;
    table.remove(index, this.#engine.nowMs);
    this.#engine.values[this.#entries] = table.size;
  }

  /** Whether a slot is for queries of this listener. */
  isFor(index: number, listener: number): boolean {
    return this.#table!.field(index, SLOT.ENDPOINT) === this.#endpointOf[listener];
  }

  /** Reports answers since the last call. */
  read(index: number): void {
    const table = this.#table!;
    const plain = table.answers(index);
    const edns = table.answersEdns(index);
    if (plain === this.#seen[index] && edns === this.#seenEdns[index]) return;
    const publisher = this.#publishers[index]!;
    if (publisher === null) return;
    const answers = this.#answers;
    const nameLength = table.field(index, SLOT.NAME_LENGTH);
    const flags = table.field(index, SLOT.FLAGS);
    const endpoint = table.field(index, SLOT.ENDPOINT);
    answers.edns = (edns - this.#seenEdns[index]!) >>> 0;
    answers.count = answers.edns + ((plain - this.#seen[index]!) >>> 0);
    answers.listener = this.#listenerOf[endpoint] ?? -1;
    answers.zone = this.#zones[index]!;
    answers.family = this.#families[endpoint] ?? 4;
    answers.qtype = table.field(index, SLOT.QTYPE);
    answers.dnssecOk = (table.field(index, SLOT.KEY) & 1) !== 0;
    // Big-endian: the lower octet comes last.
    answers.rcode = (flags >>> 8) & FLAG.RCODE;
    answers.querySize = HEADER_SIZE + nameLength + QUESTION_REST;
    answers.answerSize = answers.querySize + table.field(index, SLOT.BODY_LENGTH);
    this.#seen[index] = plain;
    this.#seenEdns[index] = edns;
    this.#engine.values[COUNTER.UDP_QUERIES]! += answers.count;
    publisher.answered(this.#rows[index]!, answers);
  }

  /** Reads all slots. */
  collect(): void {
    if (this.#table !== null) this.#collect(0, this.#rows.length);
  }

  #collect(from: number, to: number): void {
    for (let i = from; i < to; i++) if (this.#publishers[i] !== null) this.read(i);
  }

  #turn(nowMs: number): void {
    this.#table!.aliveUntilMs = nowMs + ALIVE_MS;
    const size = Math.ceil(this.#rows.length / TURNS);
    const from = (this.#turns++ % TURNS) * size;
    this.#collect(from, Math.min(from + size, this.#rows.length));
  }

  /** Without answers since the last turn. */
  #isIdle(index: number): boolean {
    const table = this.#table!;
    return table.answers(index) === this.#seen[index] &&
      table.answersEdns(index) === this.#seenEdns[index];
  }
}

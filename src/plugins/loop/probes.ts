import { FLAG, LOOP_MARK_SIZE } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import { type Chain, Exchange } from "../../engine/exchange/exchange.ts";
import type { EngineServices, HandlerEnvironment } from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import { readStoredQuestion } from "../../engine/question/read.ts";
import type { ServedZone } from "../../engine/served.ts";
import type { ProbeBoard, ProbeTokens } from "./board.ts";
import { writeProbe } from "./probe_name.ts";
import type { Watch } from "./watch.ts";

/** Time of a probe in milliseconds: `forward` gives up after five seconds. */
const PROBE_MS = 6000;
/** Probes that may be out at a time; rounds wait for room. */
const MAX_OUT = 64;
/** Room for a query for the longest name, a mark, and the slack of word reads. */
const QUERY_SIZE = 288 + LOOP_MARK_SIZE;

/** A probe that may still come back. */
export interface Probe extends ProbeTokens {
  /** The upstream that it went to. */
  readonly watch: Watch;
  /** When its time is over, in monotonic milliseconds. */
  readonly endMs: number;
  /** It has been answered, or could not be sent; it may come back all the same. */
  ended: boolean;
}

/** The probes of one server block that are out: sends them, and knows them again. */
export class Probes {
  readonly #board: ProbeBoard;
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #served: ServedZone | undefined;
  readonly #zone: Uint8Array;
  /** Tells this block's probes on the board from others'. */
  readonly #key: number;
  readonly #memory = new Memory(QUERY_SIZE);
  /** Oldest first. */
  #out: Probe[] = [];

  /** @param served - the block's zone that probes lie in, on one of its listeners */
  constructor(
    zone: string,
    { engine, position, served, board }:
      & Pick<HandlerEnvironment, "engine" | "position">
      & { served: ServedZone | undefined; board: ProbeBoard },
  ) {
    this.#board = board;
    this.#engine = engine;
    this.#position = position;
    this.#served = served;
    this.#zone = parseName(zone);
    this.#key = 1 + (served === undefined ? 0 : (served.listener << 16) | served.place);
  }

  /** When the time of the oldest one is over, or Infinity. */
  get oldestEndMs(): number {
    return this.#out[0]?.endMs ?? Infinity;
  }

  /** How many may be sent now. */
  get room(): number {
    return MAX_OUT - this.#out.length;
  }

  /** A query as a probe would be, to see which handlers are there for it. */
  example(chain: Chain): Exchange {
    return this.#write({ nonce: new Uint32Array(4), mark: new Uint32Array(2) }, chain);
  }

  /** Draws a new probe for an upstream, which counts as out from now on. */
  draw(watch: Watch): Probe {
    const { nowMs, random } = this.#engine;
    const tokens = this.#board.post(this.#key, random);
    const probe = { ...tokens, watch, endMs: nowMs + PROBE_MS, ended: false };
    this.#out.push(probe);
    return probe;
  }

  /**
   * Sends a probe down the chain, to its upstream alone; it may be answered at once.
   *
   * @returns false if too many queries wait
   */
  send(probe: Probe, chain: Chain): boolean {
    const exchange = this.#write(probe, chain);
    exchange.only = probe.watch.server;
    return this.#engine.refresh(exchange, this.#position);
  }

  #write({ nonce, mark }: ProbeTokens, chain: Chain): Exchange {
    const engine = this.#engine;
    const memory = this.#memory;
    const exchange = new Exchange(memory, chain);
    exchange.length = writeProbe(memory, nonce, this.#zone);
    exchange.markAt = exchange.length;
    mark.forEach((word, i) => memory.view.setUint32(exchange.markAt + 4 * i, word));
    exchange.flags = FLAG.RD;
    exchange.receivedMs = engine.nowMs;
    if (this.#served !== undefined) {
      exchange.listener = this.#served.listener;
      exchange.zone = this.#served.place;
    }
    readStoredQuestion(exchange, engine.hashKey);
    return exchange;
  }

  /** Whether a probe of this server block with this nonce is out, whoever sent it. */
  isOut(nonce: Uint32Array): boolean {
    return this.#board.isOut(nonce, this.#key);
  }

  /** The probe with this nonce that was sent from here, or undefined. */
  find(nonce: Uint32Array): Probe | undefined {
    return this.#out.find((probe) => probe.nonce.every((word, i) => word === nonce[i]));
  }

  /** Notes that a probe has come back as this query; returns how it had before (`RETURNED`). */
  note(nonce: Uint32Array, { memory, offset, markAt }: Exchange): number {
    return this.#board.note(nonce, memory, markAt === 0 ? 0 : offset + markAt);
  }

  /** How a probe has come back, to this data plane or another (`RETURNED`). */
  returned({ nonce }: Probe): number {
    return this.#board.returned(nonce);
  }

  /** Forgets the probes whose time is over, and returns them: one that comes in later is a stranger's. */
  takeOverdue(): Probe[] {
    const { nowMs } = this.#engine;
    const overdue: Probe[] = [];
    while (this.oldestEndMs <= nowMs) overdue.push(this.#out.shift()!);
    for (const { nonce } of overdue) this.#board.takeDown(nonce);
    return overdue;
  }

  /** Forgets all of them. */
  forgetAll(): void {
    for (const { nonce } of this.#out) this.#board.takeDown(nonce);
    this.#out = [];
  }
}

import { FLAG } from "../../dns/constants.ts";
import { parseName } from "../../dns/name.ts";
import type { Chain } from "../../engine/chain.ts";
import { Exchange } from "../../engine/exchange.ts";
import type { EngineServices, HandlerEnvironment } from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import { readStoredQuestion } from "../../engine/question/read.ts";
import type { ServedZone } from "../../engine/served.ts";
import type { ProbeBoard } from "./board.ts";
import { writeProbe } from "./probe_name.ts";

/** Time of a probe in milliseconds: `forward` gives up after five seconds. */
const PROBE_MS = 6000;
/** Probes that may still come back; one a second, for their whole time. */
const MAX_OUT = 8;
/** Room for a query for the longest name, and the slack of word reads. */
const QUERY_SIZE = 288;

/** A probe that may still come back. */
export interface Probe {
  readonly nonce: Uint32Array;
  /** When its time is over, in monotonic milliseconds. */
  readonly endMs: number;
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

  /** Draws a new probe, which counts as out from now on. */
  draw(): Probe {
    const { nowMs, random } = this.#engine;
    if (this.#out.length >= MAX_OUT) this.#board.takeDown(this.#out.shift()!.nonce);
    const probe = { nonce: this.#board.post(this.#key, random), endMs: nowMs + PROBE_MS };
    this.#out.push(probe);
    return probe;
  }

  /** Sends a probe down the chain; it may be answered at once. False when too many queries wait. */
  send({ nonce }: Probe, chain: Chain): boolean {
    const engine = this.#engine;
    const exchange = new Exchange(this.#memory, chain);
    exchange.length = writeProbe(this.#memory, nonce, this.#zone);
    exchange.flags = FLAG.RD;
    exchange.internal = true;
    exchange.receivedMs = engine.nowMs;
    if (this.#served !== undefined) {
      exchange.listener = this.#served.listener;
      exchange.zone = this.#served.place;
    }
    readStoredQuestion(exchange, engine.hashKey);
    return engine.refresh(exchange, this.#position);
  }

  /** Whether a probe of this server block with this nonce is out, whoever sent it. */
  isOut(nonce: Uint32Array): boolean {
    return this.#board.isOut(nonce, this.#key);
  }

  /** Notes that a probe has come back. */
  markSeen(nonce: Uint32Array): void {
    this.#board.markSeen(nonce);
  }

  /** Whether a probe has come back, to this data plane or another. */
  wasSeen({ nonce }: Probe): boolean {
    return this.#board.wasSeen(nonce);
  }

  /** Forgets the probes whose time is over: one that comes in later is a stranger's query. */
  forgetOverdue(): void {
    const { nowMs } = this.#engine;
    while (this.oldestEndMs <= nowMs) this.#board.takeDown(this.#out.shift()!.nonce);
  }

  /** Forgets all of them. */
  forgetAll(): void {
    for (const { nonce } of this.#out) this.#board.takeDown(nonce);
    this.#out = [];
  }
}

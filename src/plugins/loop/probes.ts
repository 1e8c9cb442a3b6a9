import { FLAG, LOOP_MARK_SIZE } from "../../dns/constants.ts";
import { type Chain, Exchange } from "../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { Memory } from "../../engine/memory.ts";
import { readStoredQuestion } from "../../engine/question/read.ts";
import type { ServedZone } from "../../engine/served.ts";
import type { ProbeBoard, ProbeTokens } from "./board.ts";
import { NONCE_WORDS, writeProbe } from "./probe_name.ts";
import type { Watch } from "./watch.ts";

/** `forward` gives up after five seconds. */
const PROBE_MS = 6000;
/** Per server block; further rounds wait. */
const MAX_OUT = 64;
/** The longest name, a mark, and the slack of word reads. */
const QUERY_SIZE = 288 + LOOP_MARK_SIZE;

/** A probe in flight. */
export interface Probe extends ProbeTokens {
  readonly watch: Watch;
  /** Monotonic milliseconds. */
  readonly endMs: number;
  /** Answered or not sent; may still return. */
  ended: boolean;
}

/** Sends and recognizes a block's probes. */
export class Probes {
  readonly #zone: string;
  readonly #board: ProbeBoard;
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #served: ServedZone | undefined;
  readonly #memory = new Memory(QUERY_SIZE);
  #out: Probe[] = [];

  constructor(
    zone: string,
    { engine, position, served, board }: {
      engine: EngineServices;
      position: number;
      served: ServedZone | undefined;
      board: ProbeBoard;
    },
  ) {
    this.#zone = zone;
    this.#board = board;
    this.#engine = engine;
    this.#position = position;
    this.#served = served;
  }

  get oldestEndMs(): number {
    return this.#out[0]?.endMs ?? Infinity;
  }

  example(chain: Chain): Exchange {
    return this.#write({ nonce: new Uint32Array(NONCE_WORDS), mark: new Uint32Array(2) }, chain);
  }

  /** Draws probes, in flight from now on; none if there is no room. */
  draw(watch: Watch, copies: number): Probe[] {
    const { nowMs, random } = this.#engine;
    if (this.#out.length + copies > MAX_OUT) return [];
    const probes = Array.from({ length: copies }, () => {
      const tokens = this.#board.post(random);
      return { ...tokens, watch, endMs: nowMs + PROBE_MS, ended: false };
    });
    this.#out.push(...probes);
    return probes;
  }

  /** It may be answered at once. False if too many queries wait. */
  send(probe: Probe, chain: Chain): boolean {
    const exchange = this.#write(probe, chain);
    exchange.only = probe.watch.server;
    return this.#engine.askBelow(exchange, this.#position);
  }

  #write({ nonce, mark }: ProbeTokens, chain: Chain): Exchange {
    const memory = this.#memory;
    const exchange = new Exchange(memory, chain);
    exchange.length = writeProbe(memory, nonce, this.#zone);
    exchange.markAt = exchange.length;
    mark.forEach((word, i) => memory.view.setUint32(exchange.markAt + 4 * i, word));
    exchange.flags = FLAG.RD;
    exchange.receivedMs = this.#engine.nowMs;
    if (this.#served !== undefined) {
      exchange.listener = this.#served.listener;
      exchange.zone = this.#served.place;
    }
    readStoredQuestion(exchange, this.#engine.hashKey);
    return exchange;
  }

  find(nonce: Uint32Array): Probe | undefined {
    return this.#out.find((probe) => probe.nonce.every((word, i) => word === nonce[i]));
  }

  takeUntil(nowMs: number): Probe[] {
    const overdue: Probe[] = [];
    while (this.oldestEndMs <= nowMs && this.#out.length > 0) overdue.push(this.#out.shift()!);
    for (const { nonce } of overdue) this.#board.takeDown(nonce);
    return overdue;
  }
}

import type { Chain, Exchange } from "../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../engine/handler.ts";
import { readStoredQuestion } from "../../engine/question/read.ts";
import type { ServedZone } from "../../engine/served.ts";
import type { ProbeBoard } from "./board.ts";
import { MARK_WORDS, NONCE_WORDS } from "./options.ts";
import { probeQuery, type ProbeTokens } from "./probe_name.ts";
import type { Watch } from "./watch.ts";

/** `forward` gives up after five seconds. */
const PROBE_MS = 6000;
/** Per server block; further rounds wait. */
const MAX_OUT = 64;

/** A probe in flight. */
export interface Probe extends ProbeTokens {
  readonly watch: Watch;
  /** Monotonic milliseconds. */
  readonly endMs: number;
  /** Answered or not sent; may still return. */
  ended: boolean;
}

/** A block's probes. */
export type Probes = ReturnType<typeof createProbes>;

/** Sends and recognizes a block's probes. */
export function createProbes(
  { zone, engine, position, served, board }: {
    zone: string;
    engine: EngineServices;
    position: number;
    served: ServedZone | undefined;
    board: ProbeBoard;
  },
) {
  const out: Probe[] = [];
  const oldestEndMs = () => out[0]?.endMs ?? Infinity;
  const query = (tokens: ProbeTokens, chain: Chain): Exchange => {
    const exchange = probeQuery(tokens, zone, chain);
    exchange.receivedMs = engine.nowMs;
    if (served !== undefined) {
      exchange.listener = served.listener;
      exchange.zone = served.place;
    }
    readStoredQuestion(exchange, engine.hashKey);
    return exchange;
  };
  return {
    oldestEndMs,
    example: (chain: Chain): Exchange =>
      query({ nonce: new Uint32Array(NONCE_WORDS), mark: new Uint32Array(MARK_WORDS) }, chain),
    /** In flight from now on; none without room. */
    draw(watch: Watch, copies: number): Probe[] {
      if (out.length + copies > MAX_OUT) return [];
      const endMs = engine.nowMs + PROBE_MS;
      const probes = Array.from(
        { length: copies },
        () => ({ ...board.post(engine.random), watch, endMs, ended: false }),
      );
      out.push(...probes);
      return probes;
    },
    /** May be answered at once. False if too many wait. */
    send(probe: Probe, chain: Chain): boolean {
      const exchange = query(probe, chain);
      exchange.only = probe.watch.server;
      return engine.askBelow(exchange, position);
    },
    find: (nonce: Uint32Array): Probe | undefined =>
      out.find((probe) => probe.nonce.every((word, i) => word === nonce[i])),
    takeUntil(nowMs: number): Probe[] {
      const overdue: Probe[] = [];
      while (oldestEndMs() <= nowMs && out.length > 0) overdue.push(out.shift()!);
      for (const { nonce } of overdue) board.takeDown(nonce);
      return overdue;
    },
  };
}

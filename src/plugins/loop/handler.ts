import { Address } from "../../dns/address.ts";
import { EDE, RCODE, TYPE } from "../../dns/constants.ts";
import type { Chain, Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type EngineServices,
  type Handler,
  type HandlerEnvironment,
  type LogFields,
  NEXT,
  type Verdict,
} from "../../engine/handler.ts";
import type { Explanation } from "../../engine/explanation.ts";
import type { Timer } from "../../engine/timers.ts";
import { httpAddressText } from "../http_address.ts";
import { BOARD_BYTES, ProbeBoard, RETURNED } from "./board.ts";
import { explainLoop } from "./explain.ts";
import { nameOf, readNonce } from "./probe_name.ts";
import { createProbes, type Probe, type Probes } from "./probes.ts";
import { type LoopOptions, NONCE_WORDS } from "./options.ts";
import { type Reaction, Watch, type WatchedServer } from "./watch.ts";

/** Maximum delay of readiness. */
const FIRST_MS = 2000;
const FOLLOW_MS = 10_000;
/** Minimum time between rounds caused by failing queries. */
const SUSPICION_MS = 30_000;
/** Foreign probes forwarded into loops, per second. */
const MAX_PASSED = 10;
/** Random share of a pause, so that nodes do not synchronize. */
const JITTER = 0.25;

/** Services beyond one data plane. */
export interface LoopServices {
  /** `BOARD_BYTES`, common to all data planes. */
  shared: SharedArrayBuffer;
  /** Called with a short reason if continuing may do harm. */
  onHarm: (why: string) => void;
}

interface Forward extends Handler {
  readonly servers: readonly WatchedServer[];
  takes(exchange: Exchange): boolean;
}

/** By default for the only data plane. */
export function createLoop(
  options: LoopOptions,
  environment: HandlerEnvironment,
  services: LoopServices = { shared: new SharedArrayBuffer(BOARD_BYTES), onHarm: () => {} },
): Handler {
  return new LoopHandler(options, environment, services);
}

/** `forward` avoids upstreams whose probes return as clients' queries. */
class LoopHandler implements Handler {
  readonly name = "loop";
  readonly #zone: string;
  readonly #engine: EngineServices;
  readonly #onHarm: LoopServices["onHarm"];
  readonly #position: number;
  readonly #board: ProbeBoard;
  readonly #probes: Probes;
  readonly #timer: Timer;
  readonly #nonce = new Uint32Array(NONCE_WORDS);
  readonly #detected: number;
  readonly #present: number;
  readonly #replays: number;
  #chain: Chain | null = null;
  #forwards: readonly Forward[] = [];
  #watches: Watch[] = [];
  #suspectedMs = -Infinity;
  #readyMs = Infinity;
  #passed = 0;
  #passedMs = -Infinity;

  constructor(
    { zone }: LoopOptions,
    { engine, position, served = [] }: HandlerEnvironment,
    { shared, onHarm }: LoopServices,
  ) {
    this.#zone = zone;
    this.#engine = engine;
    this.#position = position;
    this.#onHarm = onHarm;
    const own = served.find((one) => one.zone === zone) ?? served[0];
    const key = 1 + (own === undefined ? 0 : (own.listener << 16) | own.place);
    this.#board = new ProbeBoard(key, shared);
    this.#probes = createProbes({ zone, engine, position, served: own, board: this.#board });
    this.#timer = engine.timers.create(() => this.#due());
    const labels = { server: own?.server ?? "", zone };
    this.#detected = engine.counter("nodens_loop_detected_total", labels);
    this.#present = engine.counter("nodens_loop_present", labels);
    this.#replays = engine.counter("nodens_loop_replays_total", labels);
    engine.values[this.#present] = 0;
  }

  joined(chain: Chain, handlers: readonly Handler[]): void {
    this.#chain = chain;
    this.#forwards = handlers.filter(({ name }) => name === "forward") as Forward[];
    this.#engine.timers.set(this.#timer, this.#engine.nowMs);
  }

  query(exchange: Exchange): Verdict {
    if (exchange.qtype !== TYPE.HINFO || exchange.internal) return NEXT;
    if (!readNonce(exchange, this.#nonce)) return NEXT;
    if (this.#board.isOut(this.#nonce)) return this.#returned(exchange);
    // Other servers need their probes to detect loops through this one.
    exchange.intoLoops = this.#loops > 0 && this.#mayPass();
    return NEXT;
  }

  explain(exchange: Exchange): Explanation {
    const probe = exchange.qtype === TYPE.HINFO && readNonce(exchange, this.#nonce) &&
      this.#board.isOut(this.#nonce);
    return explainLoop(this.#watches.map(({ server }) => server), probe);
  }

  response(exchange: Exchange): void {
    if (exchange.internal && exchange.top === this.#position) {
      this.#answered(exchange);
    } else if (exchange.qtype === TYPE.HINFO && readNonce(exchange, this.#nonce)) {
      exchange.uncacheable = true;
    } else if (exchange.extendedError === EDE.NO_REACHABLE_AUTHORITY) {
      this.#suspect();
    }
  }

  /** False while all upstreams loop, and during the first round. */
  ready(): boolean {
    const allLoop = this.#loops > 0 && this.#loops === this.#watches.length;
    return !allLoop && this.#engine.nowMs >= this.#readyMs;
  }

  stop(): void {
    this.#chain = null;
    this.#forwards = [];
    this.#engine.timers.clear(this.#timer);
    this.#probes.takeUntil(Infinity);
    for (const { server } of this.#watches) server.looping = false;
    this.#watches = [];
    this.#engine.values[this.#present] = 0;
  }

  get #loops(): number {
    return this.#watches.filter(({ server }) => server.looping).length;
  }

  #due(): void {
    const { nowMs } = this.#engine;
    if (this.#readyMs === Infinity) this.#readyMs = nowMs + FIRST_MS;
    for (const probe of this.#probes.takeUntil(nowMs)) {
      if (!probe.ended) this.#end(probe, "silent");
    }
    this.#followUpstreams();
    for (const watch of this.#watches) {
      if (!watch.busy && nowMs >= watch.nextMs) this.#start(watch);
    }
    this.#arm();
  }

  #arm(): void {
    if (this.#chain === null) return;
    const { timers, nowMs } = this.#engine;
    let nextMs = Math.min(nowMs + FOLLOW_MS, this.#probes.oldestEndMs());
    for (const watch of this.#watches) {
      if (!watch.busy && watch.nextMs > nowMs) nextMs = Math.min(nextMs, watch.nextMs);
    }
    timers.set(this.#timer, nextMs);
  }

  #start(watch: Watch): void {
    const probes = this.#probes.draw(watch, watch.copies(this.#engine.random));
    if (probes.length === 0) return;
    watch.begin(probes.length);
    for (const probe of probes) {
      if (!this.#probes.send(probe, this.#chain!)) this.#end(probe, "unsent");
    }
  }

  #answered(exchange: Exchange): void {
    const probe = readNonce(exchange, this.#nonce) ? this.#probes.find(this.#nonce) : undefined;
    if (probe === undefined || probe.ended) return;
    const failed = exchange.extendedError >= 0;
    this.#end(probe, exchange.uncacheable ? "unsent" : failed ? "silent" : "answered");
    this.#arm();
  }

  #end(probe: Probe, reaction: Reaction): void {
    probe.ended = true;
    const engine = this.#engine;
    const { watch } = probe;
    if (!this.#watches.includes(watch)) return;
    const returned = this.#checkReturn(probe);
    const outcome = watch.probeEnded(reaction, returned);
    if (outcome === null) return;
    const { looping } = watch.server;
    const pauseMs = watch.roundEnded(outcome);
    if (watch.server.looping && !looping) this.#found(probe);
    if (looping && !watch.server.looping) this.#ended(watch);
    if (outcome !== "marked" && outcome !== "returned") {
      engine.values[this.#replays]! += watch.returned;
    }
    const chance = engine.random() / 2 ** 32;
    watch.nextMs = engine.nowMs + pauseMs * (1 - JITTER + 2 * JITTER * chance);
    this.#readyMs = Math.min(this.#readyMs, engine.nowMs);
  }

  #returned(exchange: Exchange): Verdict {
    const engine = this.#engine;
    const { memory, offset, markAt } = exchange;
    const before = this.#board.note(this.#nonce, memory, markAt === 0 ? 0 : offset + markAt);
    if (before !== RETURNED.NOT) engine.values[this.#replays]!++;
    const probe = this.#probes.find(this.#nonce);
    if (probe !== undefined && this.#watches.includes(probe.watch)) {
      const { watch } = probe;
      if (!watch.server.looping) {
        const between = watch.between ??= { client: new Address(), local: new Address() };
        engine.clientAddress(exchange, between.client);
        engine.localAddress(exchange, between.local);
      }
      this.#checkReturn(probe);
    }
    exchange.uncacheable = true;
    // After a failure, servers would try others.
    exchange.response = engine.writer.begin(exchange, RCODE.NXDOMAIN).end();
    return ANSWERED;
  }

  /** Over all data planes; a mark declares a loop. */
  #checkReturn(probe: Probe): number {
    const returned = this.#board.returned(probe.nonce);
    if (returned === RETURNED.MARK && probe.watch.markSeen()) this.#found(probe);
    return returned;
  }

  #found({ watch, nonce }: Probe): void {
    const engine = this.#engine;
    watch.foundMs = engine.nowMs;
    engine.values[this.#detected]!++;
    engine.values[this.#present] = 1;
    const zone = this.#zone;
    const { between, server: { label: upstream } } = watch;
    const client = between === null ? "" : textOf(between.client);
    const local = between === null ? "" : textOf(between.local);
    const qname = nameOf(nonce, zone);
    // Begins like CoreDNS's line, for log searches.
    const line = `Loop${client === "" ? "" : ` (${client} -> ${local})`} detected for zone ` +
      `"${zone}": queries forwarded to ${upstream} come back. ` +
      (this.#watches.length > this.#loops
        ? "Until the loop ends, the other upstreams are used. "
        : "Queries for it get SERVFAIL until the loop ends. ") +
      "Remove the addresses of this server, and of servers that forward to it, from forward or " +
      "from the resolv.conf that it reads (127.0.0.53 is systemd-resolved: use " +
      `/run/systemd/resolve/resolv.conf instead). Query: "HINFO ${qname}"`;
    this.#log("error", line, { zone, client, local, upstream, qname });
    this.#onHarm(`plugin/loop: a forwarding loop was found for zone "${this.#zone}"`);
  }

  #ended({ server, foundMs }: Watch): void {
    const engine = this.#engine;
    engine.values[this.#present] = this.#loops > 0 ? 1 : 0;
    const zone = this.#zone;
    const seconds = Math.round((engine.nowMs - foundMs) / 1000);
    const line =
      `Loop for zone "${zone}" has ended after ${seconds} s: using ${server.label} again`;
    this.#log("info", line, { zone, upstream: server.label, seconds });
  }

  #log(level: "error" | "info", line: string, fields: LogFields): void {
    const engine = this.#engine;
    const logged = engine.logsFields ? { plugin: "loop", ...fields } : undefined;
    engine.log(level, `plugin/loop: ${line}`, logged);
  }

  /** After failures typical of loops. */
  #suspect(): void {
    const { nowMs } = this.#engine;
    if (this.#chain === null || nowMs < this.#suspectedMs + SUSPICION_MS) return;
    const resting = this.#watches.filter((watch) => !watch.busy && watch.resting);
    if (resting.length === 0) return;
    this.#suspectedMs = nowMs;
    for (const watch of resting) {
      watch.restart();
      watch.nextMs = nowMs;
    }
    this.#engine.timers.set(this.#timer, nowMs);
  }

  #mayPass(): boolean {
    const { nowMs } = this.#engine;
    if (nowMs >= this.#passedMs + 1000) {
      this.#passedMs = nowMs;
      this.#passed = 0;
    }
    return ++this.#passed <= MAX_PASSED;
  }

  #followUpstreams(): void {
    const { nowMs, values } = this.#engine;
    const example = this.#probes.example(this.#chain!);
    const servers = this.#forwards.flatMap((forward) =>
      forward.takes(example) ? forward.servers : []
    );
    const known = this.#watches;
    if (known.length === servers.length && known.every(({ server }, i) => server === servers[i])) {
      return;
    }
    this.#watches = servers.map((one) =>
      known.find(({ server }) => server === one) ?? new Watch(one, nowMs)
    );
    values[this.#present] = this.#loops > 0 ? 1 : 0;
  }
}

function textOf(address: Address): string {
  return httpAddressText({ host: address.hostname(), port: address.port });
}

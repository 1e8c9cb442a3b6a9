import { Address } from "../../dns/address.ts";
import { EDE, RCODE, TYPE } from "../../dns/constants.ts";
import type { Chain, Exchange } from "../../engine/exchange/exchange.ts";
import {
  ANSWERED,
  type CreateHandler,
  type EngineServices,
  type Handler,
  type HandlerEnvironment,
  type LogFields,
  NEXT,
  type Verdict,
} from "../../engine/handler.ts";
import type { Timer } from "../../engine/timers.ts";
import { ProbeBoard, RETURNED } from "./board.ts";
import type { LoopOptions } from "./options.ts";
import { NONCE_WORDS, readNonce } from "./probe_name.ts";
import { type Probe, Probes } from "./probes.ts";
import { describeLoop, nameOf } from "./report.ts";
import { type Heard, Watch, type WatchedServer } from "./watch.ts";

/** How long the first probes may keep the block from being ready. */
const FIRST_MS = 2000;
/** How often the upstreams are compared with those that are known. */
const LOOK_MS = 10_000;
/** Least time between two rounds that failing queries start. */
const SUSPICION_MS = 30_000;
/** Others' probes that go to upstreams in a loop, in a second. */
const MAX_PASSED = 10;
/** Share of a pause that chance adds or takes, so that nodes do not fall into step. */
const JITTER = 0.25;

/** What `loop` shares with the rest of the process. */
export interface LoopServices {
  /** The probes that are out, of all data planes. */
  board: ProbeBoard;
  /** Is told once when a loop is found, with a short text that says where. */
  found: (why: string) => void;
}

/** What `loop` needs of a `forward` in its block. */
interface Forwards extends Handler {
  readonly servers: readonly WatchedServer[];
  takes(exchange: Exchange): boolean;
}

/** Makes the maker of handlers of `loop` directives. */
export function makeCreateLoop(services: LoopServices): CreateHandler<LoopOptions> {
  return (options, environment) => new LoopHandler(options, environment, services);
}

/** Makes the handler of a `loop` directive in an engine of its own. */
export const createLoop: CreateHandler<LoopOptions> = (options, environment) =>
  new LoopHandler(options, environment, { board: new ProbeBoard(), found: () => {} });

/**
 * Sends probes down the chain, each to one upstream. Where one comes back as a client's query, that
 * upstream leads into a loop, and `forward` asks the others.
 */
class LoopHandler implements Handler {
  readonly name = "loop";
  readonly #zone: string;
  readonly #engine: EngineServices;
  readonly #sayFound: LoopServices["found"];
  readonly #position: number;
  readonly #probes: Probes;
  readonly #timer: Timer;
  readonly #nonce = new Uint32Array(NONCE_WORDS);
  readonly #detected: number;
  readonly #present: number;
  readonly #replays: number;
  #chain: Chain | null = null;
  /** The `forward`s of its chain. */
  #forwards: readonly Forwards[] = [];
  #watches: Watch[] = [];
  #suspectedMs = -Infinity;
  #readyMs = Infinity;
  #passed = 0;
  #passedMs = -Infinity;

  constructor(
    { zone }: LoopOptions,
    { engine, position, served = [] }: HandlerEnvironment,
    { board, found }: LoopServices,
  ) {
    this.#zone = zone;
    this.#engine = engine;
    this.#position = position;
    this.#sayFound = found;
    const own = served.find((one) => one.zone === zone) ?? served[0];
    this.#probes = new Probes(zone, { engine, position, served: own, board });
    this.#timer = engine.timers.create(() => this.#due());
    const labels = { server: own?.server ?? "", zone };
    this.#detected = engine.counter("nodens_loop_detected_total", labels);
    this.#present = engine.counter("nodens_loop_present", labels);
    this.#replays = engine.counter("nodens_loop_replays_total", labels);
    engine.values[this.#present] = 0;
  }

  joined(chain: Chain, handlers: readonly Handler[]): void {
    this.#chain = chain;
    this.#forwards = handlers.filter(({ name }) => name === "forward") as Forwards[];
    this.#engine.timers.set(this.#timer, this.#engine.nowMs);
  }

  query(exchange: Exchange): Verdict {
    if (exchange.qtype !== TYPE.HINFO || exchange.internal) return NEXT;
    if (!readNonce(exchange, this.#nonce)) return NEXT;
    if (this.#probes.isOut(this.#nonce)) return this.#cameBack(exchange);
    // Probes of others tell them of the loop that leads through here: they must get through.
    exchange.intoLoops = this.#loops > 0 && this.#mayPass();
    return NEXT;
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

  /** Not while every upstream leads into a loop, nor before a first round has ended or takes too long. */
  ready(): boolean {
    const allLoop = this.#loops > 0 && this.#loops === this.#watches.length;
    return !allLoop && this.#engine.nowMs >= this.#readyMs;
  }

  stop(): void {
    this.#chain = null;
    this.#forwards = [];
    this.#engine.timers.clear(this.#timer);
    this.#probes.forgetAll();
    for (const { server } of this.#watches) server.looping = false;
    this.#watches = [];
    this.#engine.values[this.#present] = 0;
  }

  /** Upstreams that lead into a loop. */
  get #loops(): number {
    let count = 0;
    for (const { server } of this.#watches) if (server.looping) count++;
    return count;
  }

  /** Ends probes that are overdue, starts rounds that are due, and looks for new upstreams. */
  #due(): void {
    const { nowMs } = this.#engine;
    if (this.#readyMs === Infinity) this.#readyMs = nowMs + FIRST_MS;
    for (const probe of this.#probes.takeOverdue()) {
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
    let nextMs = Math.min(nowMs + LOOK_MS, this.#probes.oldestEndMs);
    for (const watch of this.#watches) {
      // One that waits for room has it once a probe is overdue.
      if (!watch.busy && watch.nextMs > nowMs) nextMs = Math.min(nextMs, watch.nextMs);
    }
    timers.set(this.#timer, nextMs);
  }

  #start(watch: Watch): void {
    const copies = watch.schedule.copies(this.#engine.random);
    if (copies > this.#probes.room) return;
    watch.begin(copies);
    const probes = Array.from({ length: copies }, () => this.#probes.draw(watch));
    for (const probe of probes) {
      if (!this.#probes.send(probe, this.#chain!)) this.#end(probe, "unsent");
    }
  }

  /** Something below has answered a probe. */
  #answered(exchange: Exchange): void {
    const probe = readNonce(exchange, this.#nonce) ? this.#probes.find(this.#nonce) : undefined;
    if (probe === undefined || probe.ended) return;
    this.#end(
      probe,
      exchange.uncacheable ? "unsent" : exchange.extendedError >= 0 ? "silent" : "answered",
    );
    this.#arm();
  }

  #end(probe: Probe, heard: Heard): void {
    probe.ended = true;
    const engine = this.#engine;
    const { watch } = probe;
    if (!this.#watches.includes(watch)) return;
    // Another data plane may have seen it come back.
    const returned = this.#probes.returned(probe);
    if (returned === RETURNED.MARK && watch.schedule.seen()) this.#found(probe);
    const outcome = watch.ended(heard, returned);
    if (outcome === null) return;
    const { looping } = watch.schedule;
    const pauseMs = watch.schedule.ended(outcome);
    if (watch.schedule.looping && !looping) this.#found(probe);
    if (looping && !watch.schedule.looping) this.#gone(watch);
    if (outcome !== "marked" && outcome !== "returned") {
      engine.values[this.#replays]! += watch.returned;
    }
    const chance = engine.random() / 2 ** 32;
    watch.nextMs = engine.nowMs + pauseMs * (1 - JITTER + 2 * JITTER * chance);
    this.#readyMs = Math.min(this.#readyMs, engine.nowMs);
  }

  /** A probe of this block has come in as a client's query: it goes no further. */
  #cameBack(exchange: Exchange): Verdict {
    const engine = this.#engine;
    const before = this.#probes.note(this.#nonce, exchange);
    if (before !== RETURNED.NOT) engine.values[this.#replays]!++;
    const probe = this.#probes.find(this.#nonce);
    if (probe !== undefined && this.#watches.includes(probe.watch)) {
      this.#noteReturn(probe, exchange);
    }
    exchange.uncacheable = true;
    // No failure, which servers on the way would take for a reason to ask others.
    exchange.response = engine.writer.begin(exchange, RCODE.NXDOMAIN).end();
    return ANSWERED;
  }

  #noteReturn(probe: Probe, exchange: Exchange): void {
    const engine = this.#engine;
    const { watch } = probe;
    if (!watch.schedule.looping) {
      const between = watch.between ??= { client: new Address(), local: new Address() };
      engine.clientAddress(exchange, between.client);
      engine.localAddress(exchange, between.local);
    }
    if (this.#probes.returned(probe) === RETURNED.MARK && watch.schedule.seen()) this.#found(probe);
  }

  #found({ watch, nonce }: Probe): void {
    const engine = this.#engine;
    watch.server.looping = true;
    watch.foundMs = engine.nowMs;
    engine.values[this.#detected]!++;
    engine.values[this.#present] = 1;
    const { line, fields } = describeLoop({
      zone: this.#zone,
      upstream: watch.server.label,
      others: this.#watches.length > this.#loops,
      between: watch.between,
      qname: nameOf(nonce, this.#zone),
    });
    this.#log("error", line, fields);
    this.#sayFound(`plugin/loop: a forwarding loop was found for zone "${this.#zone}"`);
  }

  #gone({ server, foundMs }: Watch): void {
    const engine = this.#engine;
    server.looping = false;
    engine.values[this.#present] = this.#loops > 0 ? 1 : 0;
    const seconds = Math.round((engine.nowMs - foundMs) / 1000);
    const upstream = server.label;
    this.#log(
      "info",
      `Loop for zone "${this.#zone}" is gone after ${seconds} s: asking ${upstream} again`,
      { zone: this.#zone, upstream, seconds },
    );
  }

  #log(level: "error" | "info", line: string, fields: LogFields): void {
    const engine = this.#engine;
    engine.log(
      level,
      `plugin/loop: ${line}`,
      engine.logsFields ? { plugin: "loop", ...fields } : undefined,
    );
  }

  /** Queries fail as they do in a loop: look for one soon. */
  #suspect(): void {
    const { nowMs } = this.#engine;
    if (this.#chain === null || nowMs < this.#suspectedMs + SUSPICION_MS) return;
    const resting = this.#watches.filter((watch) => !watch.busy && watch.schedule.resting);
    if (resting.length === 0) return;
    this.#suspectedMs = nowMs;
    for (const watch of resting) {
      watch.schedule.begin();
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

  /** Watches the servers that probes go to now, each with what is known of it. */
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

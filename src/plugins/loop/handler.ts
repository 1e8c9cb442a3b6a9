import { Address } from "../../dns/address.ts";
import { EDE, RCODE, TYPE } from "../../dns/constants.ts";
import type { Chain } from "../../engine/chain.ts";
import type { Exchange } from "../../engine/exchange.ts";
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
import type { ServerState } from "../../upstream/options.ts";
import { ProbeBoard } from "./board.ts";
import type { LoopOptions } from "./options.ts";
import { NONCE_WORDS, readNonce } from "./probe_name.ts";
import { type Probe, Probes } from "./probes.ts";
import { describeLoop, nameOf } from "./report.ts";
import { type Outcome, Schedule } from "./schedule.ts";

/** How long the first probe may keep the block from being ready. */
const FIRST_MS = 2000;
/** How often the upstreams are compared with those of the last probe. */
const LOOK_MS = 10_000;
/** Least time between two rounds that failing queries start. */
const SUSPICION_MS = 30_000;
/** Others' probes that are passed on in a second while there is a loop. */
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

/** Makes the maker of handlers of `loop` directives. */
export function makeCreateLoop(services: LoopServices): CreateHandler<LoopOptions> {
  return (options, environment) => new LoopHandler(options, environment, services);
}

/** Makes the handler of a `loop` directive in an engine of its own. */
export const createLoop: CreateHandler<LoopOptions> = (options, environment) =>
  new LoopHandler(options, environment, { board: new ProbeBoard(), found: () => {} });

/** Sends probes down the chain; where one comes back as a client's query, there is a loop. */
class LoopHandler implements Handler {
  readonly name = "loop";
  readonly #zone: string;
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #sayFound: LoopServices["found"];
  readonly #probes: Probes;
  readonly #schedule = new Schedule();
  readonly #timer: Timer;
  readonly #nonce = new Uint32Array(NONCE_WORDS);
  readonly #detected: number;
  readonly #present: number;
  #chain: Chain | null = null;
  /** The probe whose end is waited for, or null. */
  #probe: Probe | null = null;
  #nextMs = 0;
  #probedMs = -Infinity;
  /** Upstreams at the last probe. */
  #upstreams: string[] = [];
  #foundMs = 0;
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
    engine.values[this.#present] = 0;
  }

  joined(chain: Chain): void {
    this.#chain = chain;
    this.#engine.timers.set(this.#timer, this.#engine.nowMs);
  }

  query(exchange: Exchange): Verdict {
    const { looping } = this.#schedule;
    if (exchange.qtype === TYPE.HINFO && !exchange.internal && readNonce(exchange, this.#nonce)) {
      if (this.#probes.isOut(this.#nonce)) return this.#cameBack(exchange);
      // Probes of others tell them of the loop that leads through here: they must get through.
      if (looping && this.#mayPass()) return NEXT;
    }
    if (!looping) return NEXT;
    exchange.extendedError = EDE.NOT_READY;
    // It says nothing of the name, and costs nothing to make again.
    exchange.uncacheable = true;
    exchange.response = this.#engine.failure(exchange, RCODE.SERVFAIL);
    return ANSWERED;
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

  /** Not while there is a loop, nor before the first probe has ended or taken too long. */
  ready(): boolean {
    return !this.#schedule.looping && this.#engine.nowMs >= this.#readyMs;
  }

  stop(): void {
    this.#chain = null;
    this.#engine.timers.clear(this.#timer);
    this.#probes.forgetAll();
    this.#probe = null;
    this.#engine.values[this.#present] = 0;
  }

  /** Forgets probes that are overdue, starts one that is due, and looks for new upstreams. */
  #due(): void {
    const { nowMs } = this.#engine;
    if (this.#readyMs === Infinity) this.#readyMs = nowMs + FIRST_MS;
    if (this.#probe !== null && nowMs >= this.#probe.endMs) this.#end("silent");
    this.#probes.forgetOverdue();
    if (
      this.#probe === null &&
      (nowMs >= this.#nextMs || (this.#schedule.resting && this.#haveUpstreamsChanged()))
    ) this.#start();
    this.#arm();
  }

  #arm(): void {
    if (this.#chain === null) return;
    const { timers, nowMs } = this.#engine;
    const nextMs = this.#probe === null ? Math.min(this.#nextMs, nowMs + LOOK_MS) : Infinity;
    timers.set(this.#timer, Math.min(nextMs, this.#probes.oldestEndMs));
  }

  #start(): void {
    this.#probe = this.#probes.draw();
    this.#probedMs = this.#engine.nowMs;
    this.#upstreams = this.#listUpstreams();
    if (!this.#probes.send(this.#probe, this.#chain!)) this.#end("unsent");
  }

  /** Something below has answered a probe. */
  #answered(exchange: Exchange): void {
    const { nonce } = this.#probe ?? {};
    if (nonce === undefined || !readNonce(exchange, this.#nonce)) return;
    if (nonce.some((word, i) => word !== this.#nonce[i])) return;
    this.#end(
      exchange.uncacheable ? "unsent" : exchange.extendedError >= 0 ? "silent" : "answered",
    );
    this.#arm();
  }

  #end(heard: Outcome): void {
    const engine = this.#engine;
    const probe = this.#probe!;
    this.#probe = null;
    const outcome = this.#probes.wasSeen(probe) ? "seen" : heard;
    if (outcome === "seen" && this.#schedule.seen()) this.#found(probe.nonce, null);
    const { looping } = this.#schedule;
    const pauseMs = this.#schedule.ended(outcome, this.#upstreams.length);
    if (looping && !this.#schedule.looping) this.#gone();
    const chance = engine.random() / 2 ** 32;
    this.#nextMs = engine.nowMs + pauseMs * (1 - JITTER + 2 * JITTER * chance);
    this.#readyMs = Math.min(this.#readyMs, engine.nowMs);
  }

  /** A probe of this block has come in as a client's query: it goes no further. */
  #cameBack(exchange: Exchange): Verdict {
    this.#probes.markSeen(this.#nonce);
    if (this.#schedule.seen()) this.#found(this.#nonce, exchange);
    exchange.uncacheable = true;
    // No failure, which servers on the way would take for a reason to ask others.
    exchange.response = this.#engine.writer.begin(exchange, RCODE.NXDOMAIN).end();
    return ANSWERED;
  }

  /** @param exchange - the probe as it came back, or null where it did so to another data plane */
  #found(nonce: Uint32Array, exchange: Exchange | null): void {
    const engine = this.#engine;
    engine.values[this.#detected]!++;
    engine.values[this.#present] = 1;
    this.#foundMs = engine.nowMs;
    const [client, local] = [new Address(), new Address()];
    if (exchange !== null) {
      engine.clientAddress(exchange, client);
      engine.localAddress(exchange, local);
    }
    const { line, fields } = describeLoop({
      zone: this.#zone,
      upstreams: this.#listUpstreams(),
      between: exchange === null ? null : { client, local },
      qname: nameOf(nonce, this.#zone),
    });
    this.#log("error", line, fields);
    this.#sayFound(`plugin/loop: a forwarding loop was found for zone "${this.#zone}"`);
  }

  #gone(): void {
    const engine = this.#engine;
    engine.values[this.#present] = 0;
    const seconds = Math.round((engine.nowMs - this.#foundMs) / 1000);
    const line = `Loop for zone "${this.#zone}" is gone after ${seconds} s: answering again`;
    this.#log("info", line, { zone: this.#zone, seconds });
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
    if (this.#chain === null || !this.#schedule.resting || this.#probe !== null) return;
    const { nowMs } = this.#engine;
    if (nowMs < this.#probedMs + SUSPICION_MS) return;
    this.#schedule.begin();
    this.#nextMs = nowMs;
    this.#arm();
  }

  #mayPass(): boolean {
    const { nowMs } = this.#engine;
    if (nowMs >= this.#passedMs + 1000) {
      this.#passedMs = nowMs;
      this.#passed = 0;
    }
    return ++this.#passed <= MAX_PASSED;
  }

  #haveUpstreamsChanged(): boolean {
    const upstreams = this.#listUpstreams();
    return upstreams.join() !== this.#upstreams.join();
  }

  /** What the block's `forward` ask, as they say themselves. */
  #listUpstreams(): string[] {
    const handlers = this.#chain?.handlers ?? [];
    return handlers.filter(({ name }) => name === "forward")
      .flatMap((handler) => (handler.ask?.(null) as ServerState[]).map(({ to }) => to));
  }
}

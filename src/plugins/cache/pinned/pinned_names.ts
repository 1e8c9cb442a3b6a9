import { typeText } from "../../../dns/mnemonics.ts";
import { parseName } from "../../../dns/name.ts";
import { CLASS } from "../../../dns/constants.ts";
import type { Chain, Exchange } from "../../../engine/exchange/exchange.ts";
import type { EngineServices, HandlerEnvironment } from "../../../engine/handler.ts";
import { internalQuery } from "../../../engine/internal_query.ts";
import { readStoredQuestion } from "../../../engine/question/read.ts";
import type { Timer } from "../../../engine/timers.ts";
import type { CacheContent } from "../content.ts";
import type { CacheOptions } from "../options.ts";
import { isSameQuestion } from "../question.ts";
import { copyEntry } from "./copy_entry.ts";
import { Pin, PIN_STATES } from "./pin.ts";

/** Clients come first. */
const START_MS = 100;
/** Between looks at every pin; `busy`: some wait. */
const LOOK_MS = { idle: 1000, busy: 20 } as const;
/** In flight, and begun at one look: no upstream sees a burst. */
const MAX_QUERIES = 8;
/** Some queries never end. */
const LIMIT_MS = 10_000;
/** In a log line. */
const MAX_NAMED = 5;

/** Environment of `PinnedNames`. */
export interface PinnedServices {
  readonly options: CacheOptions;
  readonly content: CacheContent;
  /** By a reload. */
  readonly dropped: CacheContent | null;
  readonly environment: HandlerEnvironment;
}

/**
 * Keeps answers for `keep`: its queries have neither DO nor CD nor a client subnet. A look at all
 * pins each second also finds what was flushed, or restored.
 */
export class PinnedNames {
  readonly #content: CacheContent;
  readonly #engine: EngineServices;
  readonly #position: number;
  readonly #pins: readonly Pin[];
  /** Of `#pins`. */
  readonly #hashes: Int32Array;
  readonly #gauges: Readonly<Record<Pin["state"], number>>;
  readonly #failures: number;
  readonly #timer: Timer;
  #inFlight = 0;
  /** Next look's first: none starves. */
  #first = 0;
  #someWait = false;
  #complained = false;
  #stopped = false;

  constructor({ options, content, dropped, environment }: PinnedServices) {
    const { engine, position, served = [] } = environment;
    this.#content = content;
    this.#engine = engine;
    this.#position = position;
    this.#pins = (options.keep ?? []).flatMap(({ name, types }) =>
      types.map((type) => {
        const question = { name: parseName(name), qtype: type, qclass: CLASS.IN };
        const exchange = internalQuery(undefined, question);
        exchange.listener = served[0]?.listener ?? 0;
        exchange.client = 0;
        readStoredQuestion(exchange, engine.hashKey);
        return new Pin(exchange, `${name} ${typeText(type)}`);
      })
    );
    this.#hashes = Int32Array.from(this.#pins, ({ question }) => question.hash);
    const servers = new Map(served.map(({ listener, server }) => [listener, server]));
    const labels = { server: [...servers.values()].join(","), zones: options.zones.join(",") };
    const gauge = (state: Pin["state"]) =>
      engine.counter("nodens_cache_pinned", { ...labels, state });
    this.#gauges = { fresh: gauge("fresh"), stale: gauge("stale"), missing: gauge("missing") };
    this.#failures = engine.counter("nodens_cache_pinned_failures_total", labels);
    this.#timer = engine.timers.create(() => this.#look());
    engine.timers.set(this.#timer, engine.nowMs + START_MS);
    const { nowMs } = engine;
    for (const { question } of this.#pins) {
      if (dropped !== null) copyEntry(question, { dropped, to: content, nowMs, options });
    }
    this.#judge();
    this.#publish();
  }

  join(chain: Chain): void {
    for (const { question } of this.#pins) question.chain = chain;
  }

  /** Other servers may answer. */
  retry(): void {
    for (const pin of this.#pins) pin.retry();
    this.#engine.timers.set(this.#timer, this.#engine.nowMs + START_MS);
  }

  /** After each response. */
  concluded(exchange: Exchange): void {
    if (this.#stopped) return;
    let at = this.#hashes.indexOf(exchange.hash);
    while (at >= 0 && !isSameQuestion(this.#pins[at]!.question, exchange)) {
      at = this.#hashes.indexOf(exchange.hash, at + 1);
    }
    if (at < 0) return;
    const pin = this.#pins[at]!;
    pin.judge(this.#content, this.#content.now(this.#engine.nowMs));
    if (!pin.isDue) {
      pin.succeed(this.#engine.nowMs);
      this.#end(pin);
    } else if (exchange.internal) {
      this.#fail(pin);
    }
    this.#publish();
  }

  /** @param unpins - entries may be evicted from now on */
  stop(unpins = false): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#engine.timers.clear(this.#timer);
    for (const state of PIN_STATES) this.#engine.values[this.#gauges[state]] = 0;
    if (!unpins) return;
    const now = this.#content.now(this.#engine.nowMs);
    for (const { question } of this.#pins) {
      for (const store of [this.#content.success, this.#content.denial]) {
        const row = store.find(question, now);
        if (row >= 0) store.unpin(row);
      }
    }
  }

  #look(): void {
    const { nowMs, timers } = this.#engine;
    this.#judge();
    let begun = 0;
    this.#someWait = false;
    const first = this.#first;
    for (let i = 0; i < this.#pins.length; i++) {
      const at = (first + i) % this.#pins.length;
      const pin = this.#pins[at]!;
      if (pin.untilMs > 0 && nowMs >= pin.untilMs) this.#fail(pin);
      if (!pin.mayAsk(nowMs)) continue;
      if (begun >= MAX_QUERIES || this.#inFlight >= MAX_QUERIES) {
        this.#someWait = true;
        break;
      }
      begun++;
      this.#first = at + 1;
      this.#ask(pin);
    }
    this.#publish();
    this.#complain();
    const busy = this.#someWait && this.#inFlight < MAX_QUERIES;
    timers.set(this.#timer, nowMs + (busy ? LOOK_MS.busy : LOOK_MS.idle));
  }

  #judge(): void {
    const now = this.#content.now(this.#engine.nowMs);
    for (const pin of this.#pins) pin.judge(this.#content, now);
  }

  #ask(pin: Pin): void {
    const { nowMs } = this.#engine;
    pin.begin(nowMs + LIMIT_MS, this.#draw());
    this.#inFlight++;
    pin.question.receivedMs = nowMs;
    pin.question.generation = this.#content.flushes.generation;
    if (!this.#engine.askBelow(pin.question, this.#position)) this.#fail(pin);
  }

  #fail(pin: Pin): void {
    if (pin.untilMs === 0) return;
    this.#end(pin);
    this.#engine.values[this.#failures]!++;
    pin.fail(this.#engine.nowMs, this.#draw());
  }

  #end(pin: Pin): void {
    if (pin.untilMs === 0) return;
    pin.untilMs = 0;
    this.#inFlight--;
    if (!this.#someWait) return;
    this.#someWait = false;
    this.#engine.timers.set(this.#timer, this.#engine.nowMs + LOOK_MS.busy);
  }

  #draw(): number {
    return (this.#engine.random() >>> 0) / 2 ** 32;
  }

  #publish(): void {
    const { values } = this.#engine;
    for (const state of PIN_STATES) values[this.#gauges[state]] = 0;
    for (const { state } of this.#pins) values[this.#gauges[state]]!++;
  }

  /** Once for missing answers, once when all are back. */
  #complain(): void {
    const bad = this.#pins.filter(({ asked, untilMs, state }) =>
      state !== "fresh" && asked && untilMs === 0
    );
    const back = this.#complained && this.#pins.every(({ state }) => state === "fresh");
    if (bad.length > 0 && !this.#complained) {
      this.#complained = true;
      const names = bad.slice(0, MAX_NAMED).map(({ text, state }) => `${text} is ${state}`);
      const more = bad.length > MAX_NAMED ? `, and ${bad.length - MAX_NAMED} more` : "";
      this.#engine.log("warning", `plugin/cache: keep: ${names.join(", ")}${more}`);
    } else if (back) {
      this.#complained = false;
      this.#engine.log("info", "plugin/cache: keep: every name has a fresh answer again");
    }
  }
}

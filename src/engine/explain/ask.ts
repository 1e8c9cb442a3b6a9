import type { HandlerChain } from "../chain/chain.ts";
import type { Engine } from "../engine.ts";
import { ANSWERED, type Handler, NEXT, type Verdict, WAIT } from "../handler.ts";
import { routeQuery } from "./query.ts";
import type { AskedStep, AskReply, ExplainRequest } from "./types.ts";

/** Aliases and refreshes may go through the chain several times. */
const MAX_STEPS = 100;

/** `done` gets null if the query is refused or too many wait. */
export function askQuery(
  engine: Engine,
  request: ExplainRequest,
  done: (reply: AskReply | null) => void,
): void {
  const trace = new Trace(engine);
  const query = routeQuery(engine, request, (ended, message) => {
    const { response, answeredBy, stale, upstream, asks, hedged, error } = ended;
    done({
      answer: message?.buffer ?? null,
      ms: trace.ms,
      answeredBy: query?.chain?.pluginAt(answeredBy) ?? null,
      cached: response?.cached ?? false,
      ...{ stale, upstream, asks, hedged, error },
      steps: trace.end(),
    });
  });
  if (query === null || query.chain === null) return done(null);
  const { exchange, chain } = query;
  exchange.chain = trace.follow(chain);
  if (!engine.askFor(exchange)) done(null);
}

const SAW: AskedStep["did"] = "saw the answer";
const DID: Readonly<Record<Verdict, AskedStep["did"]>> = {
  [NEXT]: "passed",
  [ANSWERED]: "answered",
  [WAIT]: "waited",
  3: "dropped",
};

class Trace {
  readonly #engine: Engine;
  readonly #startMs: number;
  readonly #sinceStart: () => number | null;
  #steps: AskedStep[] | null = [];

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#startMs = engine.nowMs;
    this.#sinceStart = this.#stopwatch();
  }

  /** Finer than the loop's clock. */
  get ms(): number {
    const { nowMs } = this.#engine;
    return nowMs > this.#startMs ? nowMs - this.#startMs : (this.#sinceStart() ?? 0) / 1000;
  }

  end(): AskedStep[] {
    const steps = this.#steps ?? [];
    this.#steps = null;
    return steps;
  }

  /** Notes the handlers' turns; others never see it. */
  follow(chain: HandlerChain): HandlerChain {
    return chain.wrapped((handler) => this.#wrap(handler));
  }

  #wrap(handler: Handler): Handler {
    const { name, source, recursive, everyClass, responseFlags, recordOrder } = handler;
    return {
      name,
      ...source !== undefined && { source },
      ...recursive !== undefined && { recursive },
      ...everyClass !== undefined && { everyClass },
      ...responseFlags !== undefined && { responseFlags },
      ...recordOrder !== undefined && { recordOrder },
      ...handler.query !== undefined && {
        query: (exchange) => this.#note(name, exchange.internal, () => handler.query!(exchange)),
      },
      ...handler.response !== undefined && {
        response: (exchange) => {
          return this.#note(name, exchange.internal, () => handler.response!(exchange));
        },
      },
    };
  }

  #note<V extends Verdict | void>(plugin: string, own: boolean, run: () => V): V {
    const step = { plugin, did: SAW, atMs: this.#engine.nowMs - this.#startMs, own };
    // Before the steps that it causes.
    const at = this.#steps === null || this.#steps.length >= MAX_STEPS
      ? -1
      : this.#steps.push({ ...step, tookUs: null }) - 1;
    const since = this.#stopwatch();
    const verdict = run();
    if (at >= 0 && this.#steps !== null) {
      const did = verdict === undefined ? SAW : DID[verdict as Verdict];
      this.#steps[at] = { ...step, did, tookUs: since() };
    }
    return verdict;
  }

  /** In microseconds. */
  #stopwatch(): () => number | null {
    const { io } = this.#engine;
    const startNs = io.nanoseconds?.();
    return () => startNs === undefined ? null : ((io.nanoseconds!() - startNs) >>> 0) / 1000;
  }
}

import type { Plane } from "../../../src/plugins/companion.ts";
import type { CacheEntry } from "../../../src/plugins/cache/companion/describe_entry.ts";
import type { Flushed } from "../../../src/plugins/cache/companion/flush.ts";
import { Persistence } from "../../../src/plugins/cache/companion/persistence.ts";
import { cacheVerbs } from "../../../src/plugins/cache/companion/verbs.ts";
import { VirtualClock } from "../run/virtual_clock.ts";
import type { Simulation } from "./simulation.ts";

export type Parameters = Readonly<Record<string, string>>;

/** The cache's verbs for a simulation; `before` runs before each slice of a handler's work. */
export class CacheVerbs {
  before: (request: { type: string }) => void = () => {};
  slices = 0;
  readonly persistence: Persistence;
  readonly lines: string[] = [];
  readonly #simulation: Simulation;
  readonly #verbs: ReturnType<typeof cacheVerbs>;

  constructor(simulation: Simulation, planes = 1) {
    this.#simulation = simulation;
    const plane: Plane = {
      restarts: 0,
      ask: ({ block, position, request }) => {
        this.slices++;
        this.before(request as { type: string });
        return Promise.resolve(simulation.engine.blocks.ask(block, position, request));
      },
    };
    const all = Array.from({ length: planes }, () => plane);
    const log = (_: string, line: string) => void this.lines.push(line);
    const clock = new VirtualClock({ wallMs: Date.now() });
    this.persistence = new Persistence({ planes: all, log, shared: false, clock });
    this.#verbs = cacheVerbs({ planes: all, persistence: this.persistence });
  }

  async flush(parameters: Parameters): Promise<Flushed> {
    return await this.#run("flush", parameters) as Flushed;
  }

  async lookup(parameters: Parameters): Promise<CacheEntry[]> {
    return await this.list("lookup", parameters);
  }

  async dump(parameters: Parameters = {}): Promise<CacheEntry[]> {
    return await this.list("dump", parameters);
  }

  async list(verb: string, parameters: Parameters, gone?: AbortSignal): Promise<CacheEntry[]> {
    return await Array.fromAsync(this.stream(verb, parameters, gone));
  }

  async *stream(verb: string, parameters: Parameters, gone?: AbortSignal) {
    yield* await this.#run(verb, parameters, gone) as AsyncIterable<CacheEntry>;
  }

  async #run(verb: string, parameters: Parameters, gone = new AbortController().signal) {
    return await this.#verbs.find(({ name }) => name === verb)!.run({
      parameters: new Map(Object.entries(parameters)),
      config: this.#simulation.config,
      gone,
    });
  }
}

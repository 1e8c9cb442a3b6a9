import type * as codec from "dns-packet";
import { parseAddress } from "../../../src/dns/address.ts";
import { KernelHits } from "../../../src/engine/kernel/kernel_hits.ts";
import { loadAll } from "../../../src/base/lazy.ts";
import { creatorsWith, handlerModules } from "../../../src/plugins/handlers.ts";
import { SHARED_BYTES } from "../../../src/plugins/companions.ts";
import { a, queryBytes, soa } from "../messages/messages.ts";
import { replying } from "../simulation/cache_world.ts";
import { type Behaviour, onlyAnswer, Simulation } from "../simulation/simulation.ts";
import "../engine/all_plugins.ts";
import { kernelMemory, ProgramModel } from "./program_model.ts";

await loadAll(handlerModules(["kernel_hits"]));

export const ADDRESS = "192.0.2.53";

type Query = Partial<Parameters<typeof queryBytes>[0]>;

/** Records by the first label; others have an address. */
const SHAPES: Readonly<Record<string, (name: string) => Parameters<typeof replying>[0]>> = {
  many: (name) => ({ answers: Array.from({ length: 28 }, (_, i) => a(name, `192.0.2.${i}`, 300)) }),
  alias: (name) => ({
    answers: [
      { type: "CNAME", name, ttl: 200, data: "target.example.net" },
      a("target.example.net", "192.0.2.9", 100),
    ],
  }),
  text: (name) => ({
    answers: [{ type: "TXT", name, ttl: 60, data: Array(5).fill("x".repeat(215)) }],
  }),
  large: (name) => ({
    answers: [{ type: "TXT", name, ttl: 60, data: Array(9).fill("x".repeat(215)) }],
  }),
  nodata: () => ({ authorities: [soa("example.org", 30)] }),
  missing: () => ({ rcode: 3, authorities: [soa("example.org", 30)] }),
  failing: () => ({ rcode: 2 }),
  short: (name) => ({ answers: [a(name, "192.0.2.8", 5)] }),
};

/** Answers by the shape of the first label. */
export const shaped: Behaviour = (query, ...rest) => {
  const { name } = query.questions![0] as codec.Question;
  const shape = SHAPES[name.split(".")[0]!.replace(/[0-9]+$/, "").toLowerCase()];
  return replying(shape?.(name) ?? { answers: [a(name, "192.0.2.7", 300)] })(query, ...rest);
};

/** A cache whose hits a model of the program answers. */
export class KernelWorld {
  readonly simulation: Simulation;
  readonly hits: KernelHits | null;
  readonly memory = kernelMemory();
  readonly model = new ProgramModel(this.memory);

  constructor(corefile: string, { kernel = true, behaviour = shaped } = {}) {
    this.hits = kernel ? new KernelHits() : null;
    const shared = new SharedArrayBuffer(SHARED_BYTES);
    this.simulation = new Simulation(corefile, {
      kernelHits: this.hits,
      handlers: creatorsWith({ shared, onHarm: () => {}, kernelHits: kernel }),
    });
    this.simulation.upstream("10.0.0.1:53", behaviour);
    this.hits?.open(this.memory);
  }

  /** The program's answer to `query`, or null. */
  kernel(query: Query | Uint8Array, address = ADDRESS): Uint8Array | null {
    const bytes = query instanceof Uint8Array ? query : bytesOf(query);
    const endpoint = this.model.endpoint(parseAddress(address)!, 53);
    return endpoint < 0 ? null : this.model.answer(bytes, endpoint, this.simulation.nowMs);
  }

  /** Userland's answer. */
  ask(query: Query | Uint8Array, listener = 0): Uint8Array {
    const bytes = query instanceof Uint8Array ? query : bytesOf(query);
    const asked = this.simulation.ask(bytes, listener);
    this.simulation.run(20);
    onlyAnswer(asked);
    return asked.answers[0]!.bytes;
  }

  /** Asks userland until the entry is published. */
  publish(query: Query, listener = 0): void {
    for (let i = 0; i < 3; i++) this.ask(query, listener);
  }

  count(metric: string): number {
    return this.simulation.count(metric);
  }
}

export function bytesOf(query: Query): Uint8Array {
  return queryBytes({ name: "www.example.org", ...query });
}

/** A server block with `cache`; `plugins` are other directives. */
export function corefile({ cache = "", plugins = "" } = {}): string {
  return `. {\n bind ${ADDRESS} 2001:db8::53\n prometheus\n errors\n ${plugins}\n` +
    ` cache {\n ${cache}\n }\n forward . 10.0.0.1\n}`;
}

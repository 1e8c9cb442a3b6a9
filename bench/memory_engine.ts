import { loadAll } from "../src/base/lazy.ts";
import { readConfig } from "../src/loading/load.ts";
import { CounterBook } from "../src/engine/counters.ts";
import { Engine } from "../src/engine/engine.ts";
import { Exchange } from "../src/engine/exchange/exchange.ts";
import type { Io } from "../src/engine/io.ts";
import { Memory } from "../src/engine/memory.ts";
import type { ObserveRequest } from "../src/engine/observe/requests.ts";
import { readQuestion } from "../src/engine/question/read.ts";
import { handlerParts } from "../src/plugins/config_traits.ts";
import { handlerModules, LOADED } from "../src/plugins/handlers.ts";
import { fakeHost } from "../tests/support/doubles/fake_host.ts";
import { buildQuery } from "./persist_probe.ts";

/** Random 32-bit numbers. */
export function random(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** A query for an A record, with its question read. */
export function exchangeOf(name: string): Exchange {
  const query = buildQuery(name);
  const memory = new Memory(query.length + 16);
  memory.bytes.set(query);
  const exchange = new Exchange(memory);
  exchange.length = query.length;
  exchange.flags = 0x0100;
  readQuestion(exchange);
  return exchange;
}

/** Options of an engine without sockets. */
export interface MemoryEngineOptions {
  /** As with `-top on`. */
  observes?: boolean;
  /** A request of the control plane before the first query. */
  request?: ObserveRequest;
  /** Time passes by so many queries a second; by default it stands still. */
  perSecond?: number;
}

/**
 * An engine without sockets, from a block with these directives; returns the size of each answer in
 * octets. A query that is not answered at once is an error.
 */
export async function memoryEngine(
  directives: string,
  { observes = false, request, perSecond = Infinity }: MemoryEngineOptions = {},
): Promise<(exchange: Exchange) => number> {
  const source = { file: "Corefile", text: `. {\n${directives}\n}`, defaultPort: 53 };
  const { config } = await readConfig(source, fakeHost());
  await loadAll(handlerModules(handlerParts(config)));
  const engine = new Engine({
    io: { family: () => 4, address: () => {} } as unknown as Io,
    counters: new CounterBook(new SharedArrayBuffer(8 * 4096)),
    random,
    handlers: LOADED,
    log: () => {},
    observes,
  });
  engine.configure(config);
  if (request !== undefined) engine.observe(request);
  const stepMs = 1000 / perSecond;
  const out = new Memory(65536);
  return ({ memory, length }) => {
    engine.nowMs += stepMs;
    const size = engine.datagram(0, 0, memory, 0, length, out, 0);
    if (size <= 0) throw new Error("a query was not answered at once");
    return size;
  };
}

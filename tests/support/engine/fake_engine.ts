import { parseAddress } from "../../../src/dns/address.ts";
import type { Address } from "../../../src/dns/address.ts";
import { compose } from "../../../src/engine/clients/compose.ts";
import { CounterBook } from "../../../src/engine/counters.ts";
import { Engine } from "../../../src/engine/engine.ts";
import { Exchange } from "../../../src/engine/exchange/exchange.ts";
import type { StreamOrigin } from "../../../src/engine/exchange/origin.ts";
import type { EngineServices, LogLevel } from "../../../src/engine/handler.ts";
import { Memory } from "../../../src/engine/memory.ts";
import { parseQuery } from "../../../src/engine/exchange/query_parser.ts";
import { HashKey } from "../../../src/engine/question/keyed_hash.ts";
import type { Io } from "../../../src/engine/io.ts";
import { decode, type Decoded, queryBytes } from "../messages/messages.ts";

export interface FakeEngine extends EngineServices {
  nowMs: number;
  /** Logged lines with their level. */
  readonly lines: string[];
  advanceTo(nowMs: number): void;
  value(name: string): number;
}

/** Makes an engine whose client has this address and queries 127.0.0.1 or ::1, port 53. */
export function fakeEngine(client = { address: "192.0.2.7", port: 40212 }): FakeEngine {
  const lines: string[] = [];
  const counters = new CounterBook(new SharedArrayBuffer(8 * 256));
  const io = {
    address(_of: string, _reference: number, side: "client" | "local", target: Address) {
      const v6 = client.address.includes(":");
      const local = v6 ? "::1" : "127.0.0.1";
      target.family = v6 ? 6 : 4;
      target.bytes.set(parseAddress(side === "client" ? client.address : local)!);
      target.port = side === "client" ? client.port : 53;
    },
  } as unknown as Io;
  const engine = new Engine({
    io,
    counters,
    random: () => 4,
    handlers: new Map(),
    log: (level: LogLevel, line: string) => lines.push(`[${level.toUpperCase()}] ${line}`),
  });
  return Object.assign(engine, {
    lines,
    advanceTo(nowMs: number) {
      engine.nowMs = nowMs;
      engine.runTimers();
    },
    value(name: string) {
      const place = counters.places.find((one) => one.name === name);
      return place === undefined ? 0 : counters.values[place.index]!;
    },
  });
}

function fakeConnection(): StreamOrigin {
  return {
    kind: "stream",
    id: 0,
    listener: 0,
    family: 4,
    outstanding: 0,
    gone: false,
    answer() {},
    update() {},
  };
}

/** A query as handlers receive it. */
export function exchangeFor(
  options: Parameters<typeof queryBytes>[0] & { transport?: "udp" | "tcp" },
): Exchange {
  const bytes = queryBytes(options);
  const memory = new Memory(bytes.length + 16);
  memory.bytes.set(bytes);
  const exchange = new Exchange(memory);
  exchange.length = bytes.length;
  exchange.origin = options.transport === "tcp" ? fakeConnection() : { kind: "slot", id: 0 };
  parseQuery(exchange, new HashKey(1, 2));
  return exchange;
}

/** The client's response, decoded with another codec. */
export function decodeResponse(exchange: Exchange): Decoded {
  const out = new Memory(65535 + 8);
  const length = compose(exchange, out, 0, 65535);
  return decode(out.bytes.slice(0, length));
}

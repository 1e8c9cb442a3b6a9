import { CLASS, RCODE, TYPE } from "../../dns/constants.ts";
import { classText, rcodeText, typeText } from "../../dns/mnemonics.ts";
import type { HandlerChain } from "../chain/chain.ts";
import type { Engine } from "../engine.ts";
import { Exchange } from "../exchange/exchange.ts";
import type { AskedOrigin } from "../exchange/origin.ts";
import { NO_QUERY, parseQuery } from "../exchange/query_parser.ts";
import { Memory } from "../memory.ts";
import { candidates, endsOf } from "./listeners.ts";
import type { ExplainReply, ExplainRequest } from "./types.ts";

type Refusal = NonNullable<ExplainReply["refusal"]>;

/** Copies of words read beyond the message. */
const SLACK = 8;

/** An operator's query on its listener, and the chain that takes it. */
export interface AskedQuery {
  readonly exchange: Exchange;
  readonly listener: number;
  readonly block: number;
  /** Null if the query is refused. */
  readonly chain: HandlerChain | null;
  readonly refusal: Refusal | null;
}

/**
 * Reads a query and finds its block, as for a client's; on the first listener that has one. Null if
 * the listener does not exist.
 */
export function routeQuery(
  engine: Engine,
  request: ExplainRequest,
  ended: AskedOrigin["ended"] = () => {},
): AskedQuery | null {
  const queries = candidates(engine.blocks.config, request).map((listener) =>
    readAt(engine, request, { listener, ended })
  );
  return queries.find(({ chain }) => chain !== null) ?? queries[0] ?? null;
}

function readAt(
  engine: Engine,
  request: ExplainRequest,
  { listener, ended }: { listener: number; ended: AskedOrigin["ended"] },
): AskedQuery {
  const { message, streamed } = request;
  const { listeners } = engine.blocks.config;
  const memory = new Memory(message.byteLength + SLACK);
  memory.bytes.set(new Uint8Array(message));
  const exchange = new Exchange(memory);
  exchange.origin = { kind: "asked", streamed, ended, ...endsOf(listeners[listener]!, request) };
  exchange.listener = listener;
  exchange.length = message.byteLength;
  exchange.begin(engine.nowMs);
  const rcode = parseQuery(exchange, engine.hashKey);
  const route = engine.blocks.route(exchange);
  const zones = listeners[listener]!.zones;
  exchange.zone = route?.zone ?? -1;
  const block = zones[exchange.zone]?.block ?? -1;
  const refuse = (refusal: Refusal) => ({ exchange, listener, block, chain: null, refusal });
  if (rcode !== RCODE.NOERROR) {
    return refuse({
      rcode: rcodeText(rcode === NO_QUERY ? RCODE.FORMERR : rcode),
      reason: unfit(exchange),
    });
  }
  const rcodeOfNone = rcodeText(RCODE.REFUSED);
  if (route === null) {
    const known = zones.map(({ zone }) => zone).join(" ");
    const reason = `no zone of this listener holds the name (its zones: ${known})`;
    return refuse({ rcode: rcodeOfNone, reason });
  }
  if (!route.chain.serves(exchange.qclass)) {
    const reason = route.chain.handlers.length === 0
      ? "the server block has no plugin that answers"
      : `no plugin of the server block answers class ${classText(exchange.qclass)}`;
    return refuse({ rcode: rcodeOfNone, reason });
  }
  exchange.chain = route.chain;
  return { exchange, listener, block, chain: route.chain, refusal: null };
}

function unfit({ qtype, qclass }: Exchange): string {
  if (qtype === TYPE.AXFR || qtype === TYPE.IXFR) {
    return `nodens has no zones to transfer (${typeText(qtype)})`;
  }
  if (qtype === TYPE.OPT) return "OPT is not a type that can be asked for (RFC 6891)";
  if (qclass !== CLASS.IN) return "this name is reserved for nodens' own checks of its listeners";
  return "the message is malformed";
}

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
type Route = NonNullable<ReturnType<Engine["blocks"]["route"]>>;

/** For words read beyond the message. */
const SLACK = 8;
/** In a message. */
const MAX_ZONES = 10;

/** A query on its listener. */
export interface AskedQuery {
  readonly exchange: Exchange;
  readonly listener: number;
  readonly block: number;
  /** Null if the query is refused. */
  readonly chain: HandlerChain | null;
  readonly refusal: Refusal | null;
}

/** Reads and routes a query on the first listener with a block; null without a listener. */
export function routeQuery(
  engine: Engine,
  request: ExplainRequest,
  ended: AskedOrigin["ended"] = () => {},
): AskedQuery | null {
  const { config } = engine.blocks;
  const [first, ...others] = candidates(config, request);
  if (first === undefined) return null;
  const { message, streamed } = request;
  const memory = new Memory(message.byteLength + SLACK);
  memory.bytes.set(new Uint8Array(message));
  const exchange = new Exchange(memory);
  exchange.length = message.byteLength;
  exchange.receivedMs = engine.nowMs;
  exchange.begin();
  const rcode = parseQuery(exchange, engine.hashKey);
  const listener = [first, ...others].find((one) => takes(engine, exchange, one)) ?? first;
  const takenBy = takes(engine, exchange, listener);
  const { zones } = config.listeners[listener]!;
  exchange.origin = {
    ...{ kind: "asked", streamed, ended },
    ...endsOf(config.listeners[listener]!, request),
  };
  exchange.zone = takenBy?.zone ?? -1;
  const refusal = rcode === RCODE.NOERROR
    ? refusalOf(exchange, takenBy, zones.map(({ zone }) => zone))
    : {
      rcode: rcodeText(rcode === NO_QUERY ? RCODE.FORMERR : rcode),
      reason: unfit(exchange),
    };
  const chain = refusal === null ? takenBy!.chain : null;
  if (chain !== null) exchange.chain = chain;
  return { exchange, listener, block: zones[exchange.zone]?.block ?? -1, chain, refusal };
}

function takes({ blocks }: Engine, exchange: Exchange, listener: number): Route | null {
  exchange.listener = listener;
  return blocks.route(exchange);
}

function refusalOf(
  { qclass }: Exchange,
  route: Route | null,
  zones: readonly string[],
): Refusal | null {
  const rcode = rcodeText(RCODE.REFUSED);
  if (route === null) {
    const more = zones.length > MAX_ZONES ? ` and ${zones.length - MAX_ZONES} more` : "";
    const known = `${zones.slice(0, MAX_ZONES).join(" ")}${more}`;
    return { rcode, reason: `no zone of this listener holds the name (its zones: ${known})` };
  }
  if (route.chain.serves(qclass)) return null;
  return {
    rcode,
    reason: route.chain.handlers.length === 0
      ? "the server block has no plugin that answers"
      : `no plugin of the server block answers class ${classText(qclass)}`,
  };
}

function unfit({ qtype, qclass, qnameLength }: Exchange): string {
  if (qnameLength === 0) return "the message is malformed";
  if (qtype === TYPE.AXFR || qtype === TYPE.IXFR) {
    return `nodens has no zones to transfer (${typeText(qtype)})`;
  }
  if (qtype === TYPE.OPT) return "OPT is not a type that can be asked for (RFC 6891)";
  if (qclass !== CLASS.IN) return "this name is reserved for nodens' own checks of its listeners";
  return "the message is malformed";
}

import type { BlockConfig, Config } from "../../config/types.ts";
import { MAX_MESSAGE_SIZE, RCODE, TYPE } from "../../dns/constants.ts";
import { rcodeText } from "../../dns/mnemonics.ts";
import { compose } from "../clients/compose.ts";
import type { Engine } from "../engine.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { endsWalk, type Explanation } from "../explanation.ts";
import type { Handler } from "../handler.ts";
import { Memory } from "../memory.ts";
import { listenerText } from "./listeners.ts";
import { type AskedQuery, routeQuery } from "./query.ts";
import type { ExplainedBlock, ExplainedStep, ExplainReply, ExplainRequest } from "./types.ts";

/** OPT and a word, as words are copied whole. */
const BEHIND_RECORDS = 1024;

const UNANSWERED = {
  rcode: rcodeText(RCODE.SERVFAIL),
  reason: "no plugin of the server block answers it",
};

/** Predicts a query's answer, without effects. */
export function explainQuery(engine: Engine, request: ExplainRequest): ExplainReply {
  const { config } = engine.blocks;
  const texts = config.listeners.map((listener) => listenerText(listener));
  const open = texts.filter((_, i) => config.listeners[i]!.port !== 0);
  const query = routeQuery(engine, request);
  if (query === null) {
    const client = request.client ?? "";
    return { listener: null, otherListeners: open, client, block: null, refusal: null, steps: [] };
  }
  const { exchange, listener, chain } = query;
  const block = config.blocks[query.block];
  const { steps, answered } = chain === null
    ? { steps: [], answered: true }
    : walk(exchange, chain.handlers, block!);
  return {
    listener: texts[listener]!,
    otherListeners: open.filter((text) => text !== texts[listener]),
    client: exchange.origin.kind === "asked" ? exchange.origin.client.hostname() : "",
    block: block === undefined ? null : describeBlock(query, block, config),
    refusal: answered ? query.refusal : UNANSWERED,
    steps,
  };
}

function describeBlock(
  { exchange: { qtype, zone }, listener }: AskedQuery,
  { file, line, zones }: BlockConfig,
  { listeners }: Config,
): ExplainedBlock {
  const served = listeners[listener]!.zones;
  return {
    zones,
    place: `${file}:${line}`,
    zone: served[zone]?.zone ?? "",
    reason: qtype === TYPE.DS && served.length > 1
      ? "DS belongs to the parent: the shortest zone that holds the name"
      : "the longest zone that holds the name",
  };
}

function walk(
  exchange: Exchange,
  handlers: readonly Handler[],
  { file, plugins }: BlockConfig,
): { steps: ExplainedStep[]; answered: boolean } {
  let ended = false;
  let refresh = false;
  const steps = handlers.map((handler, position): ExplainedStep => {
    const place = `${file}:${plugins[position]!.line}`;
    const step = { plugin: handler.name, place, notes: [], details: {}, refresh, answer: null };
    if (ended && !actsOnAll(handler)) {
      return { ...step, verdict: "not reached", reason: "" };
    }
    exchange.position = position;
    exchange.response = null;
    const said = handler.explain?.(exchange) ?? unexplained(handler);
    const answer = exchange.response === null ? null : messageOf(exchange);
    if (!ended) {
      ended = endsWalk(said);
      refresh ||= said.refreshes === true;
    }
    const { verdict, reason, notes = [], details = {} } = said;
    return { ...step, verdict, reason, notes, details, answer };
  });
  exchange.restoreQuestion();
  return { steps, answered: ended || refresh };
}

function actsOnAll({ recordOrder, responseFlags }: Handler): boolean {
  return recordOrder !== undefined ||
    (responseFlags !== undefined && (responseFlags.set | responseFlags.clear) !== 0);
}

function unexplained({ query }: Handler): Explanation {
  return query === undefined
    ? { verdict: "acts", reason: "sees the answer" }
    : { verdict: "passes", reason: "it does not say what it does" };
}

function messageOf(exchange: Exchange): ArrayBuffer {
  const out = new Memory(exchange.response!.length + BEHIND_RECORDS);
  const length = compose(exchange, out, 0, MAX_MESSAGE_SIZE);
  return out.bytes.buffer.slice(0, length);
}

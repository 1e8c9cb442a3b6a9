import type { Config } from "../../config/types.ts";
import { CLASS, TYPE } from "../../dns/constants.ts";
import type { HandlerChain } from "./chain.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Handler } from "../handler.ts";
import { ZoneTable } from "../question/zones.ts";

/** Where the queries of a zone go, and the zone's place among those of the listener. */
export interface Route {
  readonly chain: HandlerChain;
  readonly place: number;
}

/** Where the queries of each listener go; `chains` are those of the blocks. */
export function buildRoutes(
  { listeners }: Config,
  chains: readonly HandlerChain[],
): ZoneTable<Route>[] {
  return listeners.map(({ zones }) =>
    new ZoneTable(
      zones.map(({ zone, block }, place) => [zone, { chain: chains[block]!, place }] as const),
    )
  );
}

/**
 * Where the exchange's query goes, or null for a name that no zone is for, or if no question could
 * be read. DS records are the parent zone's.
 */
export function findRoute(zones: ZoneTable<Route>, exchange: Exchange): Route | null {
  if (exchange.qnameLength === 0) return null;
  return exchange.qtype === TYPE.DS ? zones.matchParent(exchange) : zones.match(exchange);
}

/**
 * Whether a chain takes the exchange's query. Most data of nodens' own is of class IN; a chain that
 * forwards takes every class, ANY and NONE included, as CoreDNS does, and so do templates.
 */
export function serves({ handlers, everyClass }: HandlerChain, { qclass }: Exchange): boolean {
  return handlers.length > 0 && (qclass === CLASS.IN || everyClass);
}

/** Observers of queries rejected before any chain ran, by listener: the first of its chains. */
export function findObservers(
  { listeners }: Config,
  chains: readonly HandlerChain[],
): (Handler | null)[] {
  return listeners.map(({ zones }) =>
    zones.map(({ block }) => chains[block]!.observer).find((one) => one !== null) ?? null
  );
}

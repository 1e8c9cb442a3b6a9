import type { Config } from "../config/types.ts";
import type { Chain } from "./chain.ts";
import type { Handler } from "./handler.ts";
import { ZoneTable } from "./zones.ts";

/** Where the queries of a zone go, and the zone's place among those of the listener. */
export interface Route {
  readonly chain: Chain;
  readonly place: number;
}

/** Where the queries of each listener go; `chains` are those of the blocks. */
export function buildRoutes({ listeners }: Config, chains: readonly Chain[]): ZoneTable<Route>[] {
  return listeners.map(({ zones }) =>
    new ZoneTable(
      zones.map(({ zone, block }, place) => [zone, { chain: chains[block]!, place }] as const),
    )
  );
}

/** Who is told of queries that no chain saw, by listener: the first observer among its chains. */
export function findObservers(
  { listeners }: Config,
  chains: readonly Chain[],
): (Handler | null)[] {
  return listeners.map(({ zones }) =>
    zones.map(({ block }) => chains[block]!.observer).find((one) => one !== null) ?? null
  );
}

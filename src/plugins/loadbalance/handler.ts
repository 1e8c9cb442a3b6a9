import type { CreateHandler } from "../../engine/handler.ts";
import { explainLoadbalance } from "./explain.ts";
import type { LoadbalanceOptions, NameWeights } from "./options.ts";
import { AddressOrder } from "./order.ts";

/** Creates a `loadbalance` handler. */
export const createLoadbalance: CreateHandler<LoadbalanceOptions> = (options, { engine }) => {
  const recordOrder = new AddressOrder(options, engine.random);
  return {
    name: "loadbalance",
    recordOrder,
    passive: true,
    explain: () => explainLoadbalance(options),
    receive: (data) => recordOrder.weigh(data as NameWeights[]),
  };
};

import type { CreateHandler, EngineServices, Handler } from "../../engine/handler.ts";
import type { LoadbalanceOptions, NameWeights } from "./options.ts";
import { AddressOrder } from "./order.ts";

/** Creates a `loadbalance` handler. */
export const createLoadbalance: CreateHandler<LoadbalanceOptions> = (options, { engine }) =>
  new LoadbalanceHandler(options, engine);

class LoadbalanceHandler implements Handler {
  readonly name = "loadbalance";
  readonly recordOrder: AddressOrder;

  constructor(options: LoadbalanceOptions, { random }: EngineServices) {
    this.recordOrder = new AddressOrder(options, random);
  }

  /** Weights of a changed file. */
  receive(data: unknown): void {
    this.recordOrder.weigh(data as NameWeights[]);
  }
}

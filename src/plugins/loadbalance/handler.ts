import type { CreateHandler, EngineServices, Handler } from "../../engine/handler.ts";
import type { LoadbalanceOptions, NameWeights } from "./options.ts";
import { AddressOrder } from "./order.ts";

/** Makes the handler of a `loadbalance` directive. */
export const createLoadbalance: CreateHandler<LoadbalanceOptions> = (options, { engine }) =>
  new LoadbalanceHandler(options, engine);

/** Gives each client its own order of addresses. */
class LoadbalanceHandler implements Handler {
  readonly name = "loadbalance";
  readonly recordOrder: AddressOrder;

  constructor(options: LoadbalanceOptions, { random }: EngineServices) {
    this.recordOrder = new AddressOrder(options, random);
  }

  /** Gets the weights of a file that has changed. */
  receive(data: unknown): void {
    this.recordOrder.weigh(data as NameWeights[]);
  }
}

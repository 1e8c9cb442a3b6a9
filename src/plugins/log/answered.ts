import type { Exchange } from "../../engine/exchange/exchange.ts";
import type { EngineServices } from "../../engine/handler.ts";
import type { Response } from "../../engine/response/response.ts";

/** Query and response. */
export interface Answered {
  readonly exchange: Exchange;
  readonly response: Response;
  readonly engine: EngineServices;
  /** By the precise clock: the engine's stands still during a batch. */
  readonly endMs: number;
}

/** Value of a placeholder. */
export type Value = string | number | boolean;

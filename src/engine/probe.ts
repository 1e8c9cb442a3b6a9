import { CLASS, HEADER_SIZE } from "../dns/constants.ts";
import type { Exchange } from "./exchange.ts";
import { sameName } from "./question/fold.ts";

/**
 * Name of the query, of class CH, by which the control plane finds out whether a data plane answers.
 * The engine refuses it before it looks for a zone, and counts it apart.
 */
export const PROBE_NAME = "health.nodens.";

const WIRE = new TextEncoder().encode("\x06health\x06nodens\0");

/** Whether the exchange is such a query. */
export function isProbe(exchange: Exchange): boolean {
  if (exchange.qnameLength !== WIRE.length || exchange.qclass !== CLASS.CH) return false;
  return sameName(
    exchange.memory.bytes,
    exchange.offset + HEADER_SIZE,
    WIRE,
    0,
    WIRE.length,
  );
}

import { type CreateHandler, NEXT } from "../../engine/handler.ts";
import { explainBufsize } from "./explain.ts";
import type { BufsizeOptions } from "./setup.ts";

/** Limits UDP response sizes and announced payload sizes. */
export const createBufsize: CreateHandler<BufsizeOptions> = ({ sizeBytes }) => ({
  name: "bufsize",
  passive: true,
  query(exchange) {
    exchange.maxUdpSize = sizeBytes;
    // As in CoreDNS, logs show the reduced size.
    if (exchange.ednsSize > sizeBytes) exchange.ednsSize = sizeBytes;
    if (exchange.payloadSize > sizeBytes) exchange.payloadSize = sizeBytes;
    return NEXT;
  },
  explain: (exchange) => explainBufsize(exchange, sizeBytes),
});

import { ANSWER_PROGRAM, TTL_SECONDS } from "../native.ts";
import type { ServerKind } from "./server.ts";

/** Minimal server in C: no cache, no configuration, one fixed answer. */
export const floor: ServerKind = {
  name: "floor",
  binary: ANSWER_PROGRAM,
  caches: false,
  peer: false,
  prepare({ port, address = "127.0.0.1" }) {
    return [ANSWER_PROGRAM, String(port), String(TTL_SECONDS), address];
  },
};

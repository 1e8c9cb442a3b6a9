import type { ServerKind } from "./server.ts";

const PROGRAM = new URL("../least_deno.ts", import.meta.url).pathname;

/** A Deno program of ten lines: what of nodens' start and memory is the runtime's. */
export const leastDeno: ServerKind = {
  name: "deno",
  binary: Deno.execPath(),
  caches: false,
  peer: false,
  startOnly: true,
  prepare({ port }) {
    return [Deno.execPath(), "run", "-A", PROGRAM, String(port)];
  },
};

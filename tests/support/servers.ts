/**
 * Real servers and clients for tests: started on loopback ports of their own, stopped by pid.
 *
 * ```ts
 * Deno.test({ name: "…", ...skipUnless("named", "dig"), fn: async (t) => { … } });
 * ```
 */
export { type Answer, ask, type AskOptions, type Client, type PrintedRecord } from "./net_ask.ts";
export { type Named, startNamed } from "./net_named.ts";
export { type Nodens, startNodens } from "./net_nodens.ts";
export { freePort, haveIpv6 } from "./net_ports.ts";
export { have, skipUnless } from "./net_require.ts";

/**
 * The cluster DNS is silent; all nodes restart; or all caches restart while pods ask the cluster
 * DNS.
 */
export const EVENTS = ["outage", "restart", "update"] as const;
/** One of `EVENTS`. */
export type Event = typeof EVENTS[number];

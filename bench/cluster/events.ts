/**
 * Event of a run: the cluster DNS is silent; all nodes restart; or only the caches do, all of
 * them at once, and pods ask the cluster DNS in the meantime.
 */
export const EVENTS = ["outage", "restart", "update"] as const;
/** One of `EVENTS`. */
export type Event = typeof EVENTS[number];

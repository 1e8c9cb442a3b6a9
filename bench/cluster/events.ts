/**
 * Event of a run: the cluster DNS is silent; all nodes restart; or all caches restart at once,
 * while pods ask the cluster DNS.
 */
export const EVENTS = ["outage", "restart", "update"] as const;
export type Event = typeof EVENTS[number];

import { createCacheCompanion } from "./cache/companion.ts";
import type { CreateCompanion } from "./companion.ts";
import { createForwardCompanion } from "./forward/companion.ts";
import { createHostsCompanion } from "./hosts/companion.ts";
import { createLoadbalanceCompanion } from "./loadbalance/companion.ts";

/** Makers of companions. */
export const COMPANIONS: readonly CreateCompanion[] = [
  createForwardCompanion,
  createHostsCompanion,
  createLoadbalanceCompanion,
  createCacheCompanion,
];

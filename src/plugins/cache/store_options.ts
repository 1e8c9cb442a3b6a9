import type { Holdings } from "./holdings.ts";
import type { SubnetRule } from "./subnets.ts";

/** Store options. */
export interface StoreOptions {
  /** How long entries stay, to be served stale, once they have expired. */
  graceSeconds?: number;
  /** What client subnets mean. */
  subnets?: SubnetRule;
  /** What it shares memory with. */
  holdings?: Holdings;
}

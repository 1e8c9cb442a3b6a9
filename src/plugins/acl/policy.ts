import type { Address } from "../../dns/address.ts";
import type { NetworkSet } from "./network_set.ts";
import type { AclAction } from "./setup.ts";

/** What to do with some clients' queries. */
export interface Policy {
  readonly action: AclAction;
  /** Null for all, like the networks. */
  readonly qtypes: ReadonlySet<number> | null;
  readonly networks: NetworkSet | null;
}

/** The first policy that matches, or null. Allocates nothing. */
export function findPolicy(
  policies: readonly Policy[],
  qtype: number,
  client: Address,
): Policy | null {
  for (const policy of policies) {
    const { qtypes, networks } = policy;
    if (qtypes !== null && !qtypes.has(qtype)) continue;
    if (networks === null || networks.contains(client)) return policy;
  }
  return null;
}

import type { Network } from "../../dns/network.ts";

/** Weights of a name's addresses; others weigh 1. */
export interface NameWeights {
  /** Lower case, final dot. */
  name: string;
  addresses: { octets: number[]; weight: number }[];
}

/** Options of `loadbalance`. */
export interface LoadbalanceOptions {
  /** In order of preference. */
  prefer: Network[];
  /** Null for `round_robin`. */
  weighted: {
    file: string;
    follow: boolean;
    /** Empty if not readable yet. */
    names: NameWeights[];
  } | null;
}

/** Network: octets and prefix length. */
export interface Network {
  octets: number[];
  bits: number;
}

/** Weights of a name's addresses; others weigh 1. */
export interface NameWeights {
  /** Lower case, with the final dot. */
  name: string;
  addresses: { octets: number[]; weight: number }[];
}

/** Options of a `loadbalance` directive. */
export interface LoadbalanceOptions {
  /** In order of preference. */
  prefer: Network[];
  /** Null for `round_robin`. */
  weighted: {
    /** Absolute path. */
    file: string;
    follow: boolean;
    /** Empty if the file could not be read yet. */
    names: NameWeights[];
  } | null;
}

/** A network: its address in octets, and how many bits of it count. */
export interface Network {
  octets: number[];
  bits: number;
}

/** Weights of a name's addresses; other addresses weigh 1. */
export interface NameWeights {
  /** In presentation format, lower case, with its closing dot. */
  name: string;
  addresses: { octets: number[]; weight: number }[];
}

/** Options of a `loadbalance` directive. */
export interface LoadbalanceOptions {
  /** Networks whose addresses come first, the first network before the second. */
  prefer: Network[];
  /** Null for `round_robin`. */
  weighted: {
    /** Absolute path. */
    file: string;
    /** The file is followed. */
    follow: boolean;
    /** What it says; none if it could not be read yet. */
    names: NameWeights[];
  } | null;
}

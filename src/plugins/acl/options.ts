/** What is done with a query: let it pass, refuse it, answer it with nothing, or not at all. */
export type AclAction = "allow" | "block" | "filter" | "drop";

/** A network as its address and the number of bits that count. */
export interface AclNetwork {
  /** Four octets for IPv4, sixteen for IPv6. */
  octets: number[];
  prefix: number;
}

/** One line of an `acl` directive; both conditions must hold. */
export interface AclPolicy {
  action: AclAction;
  /** Null for all types. */
  qtypes: number[] | null;
  /** Null for all clients. */
  networks: AclNetwork[] | null;
}

/** One `acl` directive. */
export interface AclRule {
  /** Names in or below these zones, normalised. */
  zones: string[];
  /** The first that matches decides. */
  policies: AclPolicy[];
}

/** Options of the `acl` directives of a server block. */
export interface AclOptions {
  /** In the order of the Corefile; where none of the policies of one matches, the next is asked. */
  rules: AclRule[];
}

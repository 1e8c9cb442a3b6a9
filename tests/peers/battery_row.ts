import type { Asked, Told } from "../support/battery/message.ts";

/** What a response must say; what a row leaves out is as in `USUAL`. */
export type Expected = Pick<Told, "rcode" | "bits" | "counts" | "ttls" | "question"> & {
  /** As in `Told`; several where RFCs leave a choice. */
  opt: string | null | readonly string[];
  /** Length of the message in octets, where it matters. */
  size?: number;
};

/** One question of the battery and what every answer to it must say. */
export interface Row {
  title: string;
  ask: Asked;
  /** The query of the warm pass, where it is another that finds the same entry. */
  again?: Asked;
  /** The first answer, over UDP or TCP, from an empty cache; null for none at all. */
  cold?: Partial<Expected> | null;
  /** What is different in answers to the second query. */
  warm?: Partial<Expected>;
  /** What is different over TCP. */
  tcp?: Partial<Expected>;
  /** What is different over TCP in the warm pass, after `warm` and `tcp`. */
  warmTcp?: Partial<Expected>;
  /**
   * What the upstream sees: one query for a nodens ("once", and the TTLs age), one for every query
   * ("always"), none ("never"); "unseen" where there is no log to count in. Default: once.
   */
  upstream?: "once" | "always" | "never" | "unseen";
  /** The upstream has a cache of its own, so the first TTL may have aged already. */
  aged?: boolean;
}

/** An answer with one record from a name server that is authoritative and recursive. */
export const USUAL: Expected = {
  rcode: "NOERROR",
  bits: "qr aa rd ra",
  counts: "1/0/0",
  ttls: [300],
  opt: null,
  question: "same",
};

/** No records and so no TTL. */
export const EMPTY = { counts: "0/0/0", ttls: [] } as const satisfies Partial<Expected>;

/** A denial as the battery's zones give it: an SOA record with their lifetime of denials. */
export const DENIAL = { counts: "0/1/0", ttls: [120] } as const satisfies Partial<Expected>;

/** What nodens says of itself without asking anybody, in a block that forwards: RA, not AA. */
export const OWN = { ...EMPTY, bits: "qr rd ra" } as const satisfies Partial<Expected>;

/** The same where no block is known: the question was not read, or the block does not forward. */
export const UNSERVED = { ...EMPTY, bits: "qr rd" } as const satisfies Partial<Expected>;

/** A failure is kept for a second at first: the second query of the warm pass finds it. */
export const KEPT_FAILURE = { bits: "qr aa rd ra" } as const satisfies Partial<Expected>;

import type { Asked, Told } from "../support/battery/message.ts";

/** Expectations of a response; omitted ones are as in `USUAL`. */
export type Expected = Pick<Told, "rcode" | "bits" | "counts" | "ttls" | "question"> & {
  /** As in `Told`; several if RFCs leave a choice. */
  opt: string | null | readonly string[];
  size?: number;
};

/** A question of the battery and the expected answers. */
export interface Row {
  title: string;
  ask: Asked;
  /** Query of the warm pass, if another one finds the same entry. */
  again?: Asked;
  /** First answer, over UDP or TCP, from an empty cache; null for no answer. */
  cold?: Partial<Expected> | null;
  /** Differences in answers to the second query. */
  warm?: Partial<Expected>;
  /** Differences over TCP. */
  tcp?: Partial<Expected>;
  /** Differences over TCP in the warm pass, after `warm` and `tcp`. */
  warmTcp?: Partial<Expected>;
  /**
   * Upstream queries: one per nodens ("once", and TTLs age), one per query ("always"), none
   * ("never"); "unseen" without a log. Default: once.
   */
  upstream?: "once" | "always" | "never" | "unseen";
  /** The upstream caches, so the first TTL may have aged. */
  aged?: boolean;
}

/** Makes a row. */
export function row(
  title: string,
  ask: Asked,
  cold: Row["cold"] = {},
  others: Omit<Row, "title" | "ask" | "cold"> = {},
): Row {
  return { title, ask, cold, ...others };
}

/** An answer with one record from an authoritative, recursive name server. */
export const USUAL: Expected = {
  rcode: "NOERROR",
  bits: "qr aa rd ra",
  counts: "1/0/0",
  ttls: [300],
  opt: null,
  question: "same",
};

export const EMPTY = { counts: "0/0/0", ttls: [] } as const satisfies Partial<Expected>;

/** A denial of the battery's zones: an SOA record with their denial TTL. */
export const DENIAL = { counts: "0/1/0", ttls: [120] } as const satisfies Partial<Expected>;

/** nodens's own answer in a block that forwards: RA, not AA. */
export const OWN = { ...EMPTY, bits: "qr rd ra" } as const satisfies Partial<Expected>;

/** The same without a block: the question was not read, or the block does not forward. */
export const UNSERVED = { ...EMPTY, bits: "qr rd" } as const satisfies Partial<Expected>;

/** A failure is cached for a second at first: the second query of the warm pass finds it. */
export const KEPT_FAILURE = { bits: "qr aa rd ra" } as const satisfies Partial<Expected>;

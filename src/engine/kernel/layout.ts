/**
 * Memory that the data plane shares with the program in the kernel (src/kernel/program/answer.c):
 * arrays of BPF, mapped. The data plane writes, the program reads; it writes only the two counts of
 * a slot. Numbers are little-endian, unless they are named big-endian.
 *
 * ```
 * conf, one element:
 *     0  u64  answers end: CLOCK_BOOTTIME in nanoseconds
 *     8  u32  seed of the hash
 *    12  u32  generation: only slots of this one are answered
 *    16  u32  number of buckets minus one
 *    20  u32  number of endpoints
 *    24  16 endpoints of 24 octets: address (IPv4: the first four octets, the others 0),
 *        u16 port (big-endian), u16 family (4 or 6), u32 0
 * buckets: eight of (u32 hash, u32 slot) each; slot 0: empty; the top bit: a large slot
 * slots, small and large:
 *     0  u64  expiry, CLOCK_BOOTTIME in nanoseconds
 *     8  u64  from then on the data plane answers, which refreshes the entry
 *    16  u32  hash
 *    20  u32  generation
 *    24  u32  answers without EDNS, written by the program
 *    28  u32  answers with EDNS, written by the program
 *    32  u16  endpoint
 *    34  u16  qtype
 *    36  u16  DO 1, CD 2
 *    38  u16  octets of the name
 *    40  u16  octets of the body: the message behind the question, without OPT
 *    42  u16  flags of the header (big-endian), RD and CD 0
 *    44  u16  counts of answers, authorities and additional records (big-endian)
 *    50  u16  largest message over UDP
 *    52  u16  payload size to announce
 *    54  u16  number of TTLs
 *    56  u64  0
 *    64  u16  offsets of the TTLs in the body; 12 in a small slot, 40 in a large one
 *     …  body, and from the next multiple of eight the name in lower case; both end with zeros to a
 *        multiple of eight
 * ```
 *
 * Hash: Murmur3's mixing, from the seed over the name in lower case, four octets a step, the last
 * with zeros; then qtype | DO << 16 | CD << 17 | endpoint << 24; then Murmur3's final mixing. A slot
 * is in the bucket of the hash's low bits, or in that of the bits from the twelfth.
 */

/** Offsets in `conf`. */
export const CONF = {
  ALIVE_UNTIL: 0,
  SEED: 8,
  GENERATION: 12,
  BUCKET_MASK: 16,
  ENDPOINTS: 20,
  ENDPOINT: 24,
} as const;
/** Of `conf`. */
export const MAX_ENDPOINTS = 16;
/** Octets of an endpoint. */
export const ENDPOINT_SIZE = 24;
/** Octets of `conf`. */
export const CONF_SIZE = CONF.ENDPOINT + MAX_ENDPOINTS * ENDPOINT_SIZE;
/** Offsets in an endpoint. */
export const ENDPOINT = { ADDRESS: 0, PORT: 16, FAMILY: 18 } as const;

/** Slots of a bucket. */
export const WAYS = 8;
/** Octets of a bucket. */
export const BUCKET_SIZE = 8 * WAYS;
/** First bit of the second bucket's number. */
export const SECOND_BUCKET = 12;
/** At most `1 << SECOND_BUCKET`, so that both choices differ. */
export const MAX_BUCKETS = 4096;

/** Offsets in a slot. */
export const SLOT = {
  EXPIRES: 0,
  REFRESH: 8,
  HASH: 16,
  GENERATION: 20,
  ANSWERS: 24,
  ANSWERS_EDNS: 28,
  ENDPOINT: 32,
  QTYPE: 34,
  KEY: 36,
  NAME_LENGTH: 38,
  BODY_LENGTH: 40,
  FLAGS: 42,
  COUNTS: 44,
  LIMIT: 50,
  PAYLOAD: 52,
  TTL_COUNT: 54,
  TTLS: 64,
} as const;

/** Marks a large slot's number. */
export const LARGE = 0x80000000;
/** Sizes of slots. */
export const SMALL_SLOT = { sizeBytes: 256, ttls: 12, data: 88 } as const;
/** As `SMALL_SLOT`. */
export const LARGE_SLOT = { sizeBytes: 1792, ttls: 40, data: 144 } as const;
/** Of an answer, with its OPT record. */
export const MAX_ANSWER = 1232;

/** Outcomes, counted by the program: u64 per CPU. */
export const OUTCOMES = [
  "answered",
  /** Not published. */
  "absent",
  "expired",
  /** Due for a refresh. */
  "due",
  /** Not one question with at most an OPT record without options; on lo, no connected socket. */
  "form",
  /** Too large for this client. */
  "size",
  /** The data plane has stopped, or hangs. */
  "stopped",
  /** The kernel could not change the packet. */
  "failed",
] as const;
/** Octets of the counts. */
export const OUTCOMES_SIZE = 64;

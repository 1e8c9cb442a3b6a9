/**
 * Entries for operators, from a data plane to the control plane through shared memory;
 * little-endian, each at a multiple of eight:
 *
 * ```
 *   0   u32  size of this entry
 *   4   u32  TTL in seconds
 *   8   u32  age in tenths of a second
 *   12  u32  queries without a gap
 *   16  u32  tenths of a second until the next refresh may begin
 *   20  u32  extended error plus one; 0 for none
 *   24  u16  length of the message
 *   26  u16  number of the upstream
 *   28  u8   class: 0 success, 1 denial, 2 failure
 *   29  u8   DO 1, CD 2, main queue 4, uses 8 and 16 (a row's STATE), pinned 32
 *   30  u8   bytes of client subnet: u8 length of the network, u8 scope, network; 0 for none
 *   31  u8   bytes of the extended error's text
 *   32  message, client subnet, text
 * ```
 */
export const SLICE = {
  SIZE: 0,
  TTL: 4,
  AGE: 8,
  HITS: 12,
  PAUSE: 16,
  ERROR: 20,
  LENGTH: 24,
  UPSTREAM: 26,
  CLASS: 28,
  STATE: 29,
  SUBNET: 30,
  TEXT: 31,
  MESSAGE: 32,
} as const;

/** Beside STATE. */
export const SLICED_PINNED = 32;

/** Message, client subnet and text. */
export const MAX_ENTRY_SIZE = 32 + 65_536 + 32 + 64;
/** Copied in a tenth of a millisecond. */
export const ENTRY_SLICE_SIZE = 163_840;

/** Classes of entries, by number. */
export const ENTRY_KINDS = ["answer", "denial", "failure"] as const;

/** An entry as written by a data plane. */
export interface SlicedEntry {
  readonly kind: (typeof ENTRY_KINDS)[number];
  readonly ttlSeconds: number;
  readonly ageTenths: number;
  readonly hits: number;
  readonly pauseTenths: number;
  /** Or -1. */
  readonly error: number;
  readonly errorText: string;
  readonly upstream: number;
  readonly state: number;
  readonly message: Uint8Array;
  /** Length, scope, network; empty for none. */
  readonly subnet: Uint8Array;
}

/** Reads a slice of unshared `bytes`. */
export function* readEntries(bytes: Uint8Array): Generator<SlicedEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const decoder = new TextDecoder();
  for (let at = 0; at < bytes.length;) {
    const messageAt = at + SLICE.MESSAGE;
    const subnetAt = messageAt + view.getUint16(at + SLICE.LENGTH, true);
    const textAt = subnetAt + bytes[at + SLICE.SUBNET]!;
    yield {
      kind: ENTRY_KINDS[bytes[at + SLICE.CLASS]!]!,
      ttlSeconds: view.getUint32(at + SLICE.TTL, true),
      ageTenths: view.getUint32(at + SLICE.AGE, true),
      hits: view.getUint32(at + SLICE.HITS, true),
      pauseTenths: view.getUint32(at + SLICE.PAUSE, true),
      error: view.getUint32(at + SLICE.ERROR, true) - 1,
      errorText: decoder.decode(bytes.subarray(textAt, textAt + bytes[at + SLICE.TEXT]!)),
      upstream: view.getUint16(at + SLICE.UPSTREAM, true),
      state: bytes[at + SLICE.STATE]!,
      message: bytes.subarray(messageAt, subnetAt),
      subnet: bytes.subarray(subnetAt, textAt),
    };
    at += view.getUint32(at + SLICE.SIZE, true);
  }
}

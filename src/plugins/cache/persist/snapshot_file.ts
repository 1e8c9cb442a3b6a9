/**
 * The file that a cache is kept in over a restart. Every number is little-endian, whatever the
 * machine, and everything starts at a multiple of eight.
 *
 * ```
 *  file:    | header, 40 bytes | slice | slice | ...
 *
 *  header:  0   magic       8 octets: 0x89 "nodens" 0x0a
 *           8   version     u32
 *           12  slices      u32
 *           16  time        f64, wall-clock milliseconds at which the file was begun
 *           24  size        f64, bytes behind the header
 *           32  checksum    u32, CRC-32 of everything behind the header, then of bytes 0 to 31
 *           36  zero        u32
 *
 *  slice:   0   size        u32, bytes of its entries, a multiple of eight
 *           4   entries     u32, how many there are
 *           8   time        f64, wall-clock milliseconds at which the ages in it were right
 *           16  entries     see `snapshot.ts`
 * ```
 *
 * A slice is what the data plane writes or reads between two batches of queries, so neither thread
 * ever holds more of the file than one. The checksum finds damage; what it lets through, one in four
 * thousand million, meets the check of every entry (`snapshot.ts`). It holds no secret: hashes
 * are computed again when it is read, with the key of the process that reads.
 */

/** Bytes of the header. */
export const FILE_HEADER_SIZE = 40;
/** Bytes at the start of the header that the checksum covers. */
export const FILE_SUMMED_SIZE = 32;
/** Bytes in front of the entries of a slice. */
export const SLICE_HEADER_SIZE = 16;
/** Most bytes that the entries of a slice take: the largest message with its table fits twice. */
export const MAX_SLICE_SIZE = 163_840;

const MAGIC = [0x89, 0x6e, 0x6f, 0x64, 0x65, 0x6e, 0x73, 0x0a];
const VERSION = 1;
/** How far ahead a file may be: clocks of a machine differ a little from start to start. */
const MAX_AHEAD_MS = 300_000;

/** What the header of a file says. */
export interface FileHeader {
  slices: number;
  /** Wall-clock milliseconds at which the file was begun. */
  timeMs: number;
  /** Bytes behind the header. */
  sizeBytes: number;
}

/** What stands in front of the entries of a slice. */
export interface SliceHeader {
  sizeBytes: number;
  entries: number;
  /** Wall-clock milliseconds at which the ages in it were right. */
  timeMs: number;
}

/** Writes a header without its checksum. */
export function encodeFileHeader({ slices, timeMs, sizeBytes }: FileHeader): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, slices, true);
  view.setFloat64(16, timeMs, true);
  view.setFloat64(24, sizeBytes, true);
  return bytes;
}

/**
 * Reads the header of a file of `fileSize` bytes. Throws an error that says why the file cannot be
 * used; the checksum is the caller's to compare (`isChecksum`).
 */
export function decodeFileHeader(bytes: Uint8Array, fileSize: number): FileHeader {
  if (bytes.length < FILE_HEADER_SIZE || MAGIC.some((octet, i) => bytes[i] !== octet)) {
    throw new TypeError("it is no cache that nodens has kept");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw new TypeError(`it has format ${version}, this nodens reads format ${VERSION}`);
  }
  const sizeBytes = view.getFloat64(24, true);
  if (sizeBytes !== fileSize - FILE_HEADER_SIZE) {
    throw new TypeError(
      `it is damaged: ${fileSize} bytes, where its header names ${sizeBytes + FILE_HEADER_SIZE}`,
    );
  }
  return { slices: view.getUint32(12, true), timeMs: view.getFloat64(16, true), sizeBytes };
}

/** Puts the checksum into a header. */
export function setChecksum(header: Uint8Array, checksum: number): void {
  new DataView(header.buffer, header.byteOffset).setUint32(FILE_SUMMED_SIZE, checksum, true);
}

/** Whether the checksum in a header is this one. */
export function isChecksum(header: Uint8Array, checksum: number): boolean {
  const view = new DataView(header.buffer, header.byteOffset);
  return view.getUint32(FILE_SUMMED_SIZE, true) === checksum >>> 0 &&
    view.getUint32(FILE_SUMMED_SIZE + 4, true) === 0;
}

/** Writes what stands in front of a slice's entries. */
export function encodeSliceHeader(header: SliceHeader, into: Uint8Array): void {
  const view = new DataView(into.buffer, into.byteOffset);
  view.setUint32(0, header.sizeBytes, true);
  view.setUint32(4, header.entries, true);
  view.setFloat64(8, header.timeMs, true);
}

/** Reads what stands in front of a slice's entries; throws where that cannot be. */
export function decodeSliceHeader(bytes: Uint8Array, leftBytes: number): SliceHeader {
  if (leftBytes < SLICE_HEADER_SIZE) throw new TypeError("it is damaged: a slice is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sizeBytes = view.getUint32(0, true);
  const timeMs = view.getFloat64(8, true);
  if (
    sizeBytes > MAX_SLICE_SIZE || sizeBytes % 8 !== 0 ||
    sizeBytes > leftBytes - SLICE_HEADER_SIZE || !Number.isFinite(timeMs)
  ) throw new TypeError("it is damaged: a slice has an impossible size");
  return { sizeBytes, entries: view.getUint32(4, true), timeMs };
}

/**
 * Why a file of this time is of no use now, or null where it is. All three in milliseconds.
 *
 * @param longestMs - how long an entry may be served at most, expired or not
 */
export function whyUseless(
  { timeMs, nowMs, longestMs }: { timeMs: number; nowMs: number; longestMs: number },
): string | null {
  if (!Number.isFinite(timeMs)) return "it is damaged: it has no time";
  if (timeMs > nowMs + MAX_AHEAD_MS) {
    const minutes = Math.round((timeMs - nowMs) / 60_000);
    return `it was written ${minutes} minutes in the future (is the clock right?)`;
  }
  if (nowMs - timeMs > longestMs) {
    const minutes = Math.round((nowMs - timeMs) / 60_000);
    return `all of it has expired: it was written ${minutes} minutes ago`;
  }
  return null;
}

/** Tenths of a second from one wall-clock time to another; never negative, whatever the clock did. */
export function tenthsSince(timeMs: number, nowMs: number): number {
  return Math.min(Math.max(0, Math.floor((nowMs - timeMs) / 100)), 0x3fffffff);
}

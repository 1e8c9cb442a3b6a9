/**
 * The file of a persisted cache: little-endian, aligned to eight bytes.
 *
 * ```
 *  file:    | header, 40 bytes | slice | slice | ...
 *
 *  header:  0   magic       8 octets: 0x89 "nodens" 0x0a
 *           8   version     u32
 *           12  slices      u32
 *           16  time        f64, wall-clock milliseconds at which the file was begun
 *           24  size        f64, bytes after the header
 *           32  checksum    u32, CRC-32 of everything after the header, then of bytes 0 to 31
 *           36  zero        u32
 *
 *  slice:   0   size        u32, bytes of its entries, a multiple of eight
 *           4   entries     u32, number of entries
 *           8   time        f64, wall-clock milliseconds of the ages in it
 *           16  entries     see `snapshot.ts`
 * ```
 *
 * A data plane handles one slice between two batches of queries. Hashes are not stored: they depend
 * on the process's key.
 */

/** Size of the file header. */
export const FILE_HEADER_SIZE = 40;
/** Header bytes under the checksum. */
export const FILE_SUMMED_SIZE = 32;
/** Size of a slice header. */
export const SLICE_HEADER_SIZE = 16;
/** Maximum size of a slice's entries: twice the largest message with its table. */
export const MAX_SLICE_SIZE = 163_840;

const MAGIC = [0x89, 0x6e, 0x6f, 0x64, 0x65, 0x6e, 0x73, 0x0a];
const VERSION = 1;
/** Clocks may be corrected between starts. */
const MAX_AHEAD_MS = 300_000;

/** File header without its checksum. */
export interface FileHeader {
  slices: number;
  timeMs: number;
  sizeBytes: number;
}

/** Slice header. */
export interface SliceHeader {
  sizeBytes: number;
  entries: number;
  timeMs: number;
}

/** Encodes a header without its checksum. */
export function encodeFileHeader({ slices, timeMs, sizeBytes }: FileHeader): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_SIZE);
  const view = viewOf(bytes);
  bytes.set(MAGIC);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, slices, true);
  view.setFloat64(16, timeMs, true);
  view.setFloat64(24, sizeBytes, true);
  return bytes;
}

/** Decodes a header without its checksum. Throws if the file is unusable. */
export function decodeFileHeader(bytes: Uint8Array, fileSize: number): FileHeader {
  if (fileSize < FILE_HEADER_SIZE || MAGIC.some((octet, i) => bytes[i] !== octet)) {
    throw new TypeError("it is not a cache of nodens");
  }
  const view = viewOf(bytes);
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw new TypeError(`it has format ${version}, but this version reads format ${VERSION}`);
  }
  const sizeBytes = view.getFloat64(24, true);
  if (sizeBytes !== fileSize - FILE_HEADER_SIZE) {
    const expected = sizeBytes + FILE_HEADER_SIZE;
    throw new TypeError(`it is damaged: ${fileSize} bytes instead of ${expected}`);
  }
  if (view.getUint32(FILE_SUMMED_SIZE + 4, true) !== 0) {
    throw new TypeError("it is damaged: its header is invalid");
  }
  return { slices: view.getUint32(12, true), timeMs: view.getFloat64(16, true), sizeBytes };
}

/** Sets the checksum of a header. */
export function setChecksum(header: Uint8Array, checksum: number): void {
  viewOf(header).setUint32(FILE_SUMMED_SIZE, checksum, true);
}

/** Reads the checksum of a header. */
export function checksumOf(header: Uint8Array): number {
  return viewOf(header).getUint32(FILE_SUMMED_SIZE, true);
}

/** Encodes a slice header at the start of `into`. */
export function encodeSliceHeader(header: SliceHeader, into: Uint8Array): void {
  const view = viewOf(into);
  view.setUint32(0, header.sizeBytes, true);
  view.setUint32(4, header.entries, true);
  view.setFloat64(8, header.timeMs, true);
}

/** Decodes a slice header; throws if the slice exceeds `leftBytes`. */
export function decodeSliceHeader(bytes: Uint8Array, leftBytes: number): SliceHeader {
  const view = viewOf(bytes);
  const sizeBytes = view.getUint32(0, true);
  const timeMs = view.getFloat64(8, true);
  if (
    sizeBytes > MAX_SLICE_SIZE || sizeBytes % 8 !== 0 ||
    sizeBytes > leftBytes - SLICE_HEADER_SIZE || !Number.isFinite(timeMs)
  ) throw new TypeError("it is damaged: the header of a slice is invalid");
  return { sizeBytes, entries: view.getUint32(4, true), timeMs };
}

/** Why a file is useless if entries are served for `longestMs`; else null. */
export function whyUseless(
  { timeMs, nowMs, longestMs }: { timeMs: number; nowMs: number; longestMs: number },
): string | null {
  if (!Number.isFinite(timeMs)) return "it is damaged: it has no time";
  const minutes = Math.round(Math.abs(nowMs - timeMs) / 60_000);
  if (timeMs > nowMs + MAX_AHEAD_MS) {
    return `it was written ${minutes} minutes in the future (is the clock right?)`;
  }
  return nowMs - timeMs > longestMs
    ? `all of it has expired: it was written ${minutes} minutes ago`
    : null;
}

/** Tenths of a second between wall-clock times, clamped to 30 bits. */
export function tenthsSince(timeMs: number, nowMs: number): number {
  return Math.min(Math.max(0, Math.floor((nowMs - timeMs) / 100)), 0x3fffffff);
}

function viewOf({ buffer, byteOffset }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset);
}

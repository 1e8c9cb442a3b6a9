import { HashKey, hashOctets } from "../../../engine/question/keyed_hash.ts";
import { TableBuilder } from "../builder.ts";
import { HostsLines } from "../lines.ts";

/** Octets read at a time; parsing takes one to six milliseconds. */
export const PIECE_BYTES = 64 * 1024;

/** A file to build; plain data, for threads. */
export interface HostsBuildRequest {
  path: string;
  zones: readonly string[];
  authoritative: readonly string[];
  autoReverse: boolean;
  inline: string;
  key: { k0: number; k1: number };
  maxBytes: number;
  /** Served now; null for none. */
  knownDigest: string | null;
}

/** Statistics of a hosts file. */
export type HostsReport =
  & Pick<HostsLines, "skippedLines" | "skippedNames" | "firstSkipped">
  & { lines: number; leftOut: number };

/** Result of a request. */
export type HostsBuilt =
  | { kind: "same" }
  | { kind: "table"; table: ArrayBuffer; digest: string; report: HostsReport }
  /** `fullAt` is the first line that did not fit. */
  | { kind: "full"; lines: number; bytes: number; fullAt: number }
  | { kind: "failed"; why: string };

/** A file in pieces. */
export interface Pieces {
  /** Returns octets, 0 at the end. */
  read(piece: Uint8Array): number;
  rewind(): void;
}

/** Builds a file's table. Throws errors of `pieces`. */
export function buildFromPieces(request: HostsBuildRequest, pieces: Pieces): HostsBuilt {
  const { key: { k0, k1 }, inline, knownDigest } = request;
  const key = new HashKey(k0, k1);
  const piece = new Uint8Array(PIECE_BYTES);
  if (knownDigest !== null) {
    const digest = createDigest(key);
    for (let size; (size = pieces.read(piece)) > 0;) digest.add(piece, size);
    if (digest.text() === knownDigest) return { kind: "same" };
    pieces.rewind();
  }
  const builder = new TableBuilder({ ...request, key });
  const lines = new HostsLines(builder);
  try {
    const digest = createDigest(key);
    let bytes = 0;
    let fullAt = 0;
    for (let size; (size = pieces.read(piece)) > 0; bytes += size) {
      digest.add(piece, size);
      lines.push(piece, size);
      if (builder.full && fullAt === 0) fullAt = lines.count + 1;
    }
    lines.end();
    const { count, skippedLines, skippedNames, firstSkipped } = lines;
    const octets = new TextEncoder().encode(inline);
    lines.push(octets, octets.length);
    lines.end();
    const { leftOut } = builder;
    const table = builder.finish();
    if (table === null) return { kind: "full", lines: count, bytes, fullAt: fullAt || count };
    const report = { lines: count, skippedLines, skippedNames, firstSkipped, leftOut };
    return { kind: "table", table, digest: digest.text(), report };
  } catch (error) {
    builder.release();
    throw error;
  }
}

/** 64 bits, dependent on a secret key and the pieces. */
function createDigest({ k0, k1 }: HashKey) {
  let a = 0;
  let b = 0;
  return {
    add(piece: Uint8Array, size: number): void {
      a = hashOctets(new HashKey(k0 ^ a, k1), piece, 0, size) ^ size;
      b = hashOctets(new HashKey(k1 ^ b, ~k0), piece, 0, size);
    },
    text: () => `${a} ${b}`,
  };
}

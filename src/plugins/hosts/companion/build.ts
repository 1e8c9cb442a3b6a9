import { HashKey, hashOctets } from "../../../engine/question/keyed_hash.ts";
import { TableBuilder } from "../builder.ts";
import { HostsLines } from "../lines.ts";

/** Octets of a file that are read at once: one such piece is parsed in about a millisecond. */
export const PIECE_BYTES = 64 * 1024;

/** What is to be made of a hosts file; plain data, because a thread of its own may do it. */
export interface HostsBuildRequest {
  path: string;
  zones: readonly string[];
  autoReverse: boolean;
  /** Entries of the Corefile, which come after those of the file. */
  inline: string;
  key: { k0: number; k1: number };
  /** Most bytes of the table. */
  maxBytes: number;
  /** Digest of the content that is served; null for none. */
  known: string | null;
}

/** What was found in a hosts file. */
export interface HostsReport {
  lines: number;
  /** Lines without an address that can be read, or without a name. */
  skippedLines: number;
  /** Names that cannot be read. */
  skippedNames: number;
  /** The first line of which something was skipped; 0 for none. */
  firstSkipped: number;
  /** Addresses and names beyond the most that one entry may have. */
  leftOut: number;
}

/** What came of a request. */
export type HostsBuilt =
  /** The content has the digest that was known. */
  | { kind: "same" }
  | { kind: "table"; table: ArrayBuffer; digest: string; report: HostsReport }
  /** The table would be larger than it may be. */
  | { kind: "full"; lines: number; bytes: number; fullAt: number }
  | { kind: "failed"; why: string };

/**
 * The content of a file from its start, piece by piece: fills `piece` as far as there is content and
 * returns how many octets that were, 0 at the end.
 */
export interface Pieces {
  read(piece: Uint8Array): number;
  rewind(): void;
}

/** Makes the table of a hosts file from its pieces. Throws what reading throws. */
export function buildFromPieces(request: HostsBuildRequest, pieces: Pieces): HostsBuilt {
  const { key: { k0, k1 }, inline, known } = request;
  const key = new HashKey(k0, k1);
  const piece = new Uint8Array(PIECE_BYTES);
  if (known !== null) {
    // Without a table: most files that were touched are as they were.
    const digest = new Digest(key);
    for (let size; (size = pieces.read(piece)) > 0;) digest.add(piece, size);
    if (digest.text === known) return { kind: "same" };
    pieces.rewind();
  }
  const builder = new TableBuilder({ ...request, key });
  const lines = new HostsLines(builder);
  try {
    const digest = new Digest(key);
    let bytes = 0;
    let fullAt = 0;
    for (let size; (size = pieces.read(piece)) > 0; bytes += size) {
      digest.add(piece, size);
      lines.push(piece, size);
      if (builder.full && fullAt === 0) fullAt = lines.current;
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
    return { kind: "table", table, digest: digest.text, report };
  } catch (error) {
    builder.release();
    throw error;
  }
}

/** Content that lies in memory, as pieces. */
export function piecesOf(content: Uint8Array): Pieces {
  let at = 0;
  return {
    read(piece) {
      const part = content.subarray(at, at + piece.length);
      piece.set(part);
      at += part.length;
      return part.length;
    },
    rewind: () => void (at = 0),
  };
}

/** Tells contents apart: 64 bits that depend on a secret key, and on how the content is cut up. */
class Digest {
  readonly #key: HashKey;
  #a = 0;
  #b = 0;

  constructor(key: HashKey) {
    this.#key = key;
  }

  add(piece: Uint8Array, size: number): void {
    const { k0, k1 } = this.#key;
    this.#a = hashOctets(new HashKey(k0 ^ this.#a, k1), piece, 0, size) ^ size;
    this.#b = hashOctets(new HashKey(k1 ^ this.#b, ~k0), piece, 0, size);
  }

  get text(): string {
    return `${this.#a} ${this.#b}`;
  }
}

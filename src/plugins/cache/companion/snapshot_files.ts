/** Files of persisted caches (`snapshot_file.ts`). */
import { crc32 } from "node:zlib";
import { requireOwn } from "../../../sys/own_file.ts";
import {
  checksumOf,
  decodeFileHeader,
  decodeSliceHeader,
  encodeFileHeader,
  encodeSliceHeader,
  FILE_HEADER_SIZE,
  FILE_SUMMED_SIZE,
  type FileHeader,
  MAX_SLICE_SIZE,
  setChecksum,
  SLICE_HEADER_SIZE,
  type SliceHeader,
} from "../persist/snapshot_file.ts";

const READ_SIZE = 1024 * 1024;
/** Queries of clients are private. */
const FILE_MODE = 0o600;

/** Writes a temporary file in slices, then renames it. */
export class SnapshotWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: Deno.FsFile;
  readonly #header: FileHeader;
  readonly #buffer = new Uint8Array(SLICE_HEADER_SIZE + MAX_SLICE_SIZE);
  #checksum = 0;
  #isOpen = true;
  #finished = false;

  private constructor(path: string, file: Deno.FsFile, timeMs: number) {
    this.#path = path;
    this.#temporary = temporaryOf(path);
    this.#file = file;
    this.#header = { slices: 0, timeMs, sizeBytes: 0 };
  }

  /** Throws system errors, and if other users may write there. */
  static async open(path: string, timeMs: number): Promise<SnapshotWriter> {
    await requireOwn(path);
    const temporary = temporaryOf(path);
    // May be a link that must not be followed.
    await removeIfThere(temporary);
    const file = await Deno.open(temporary, { write: true, createNew: true, mode: FILE_MODE });
    const writer = new SnapshotWriter(path, file, timeMs);
    try {
      await writeAll(file, new Uint8Array(FILE_HEADER_SIZE));
      return writer;
    } catch (error) {
      await writer[Symbol.asyncDispose]();
      throw error;
    }
  }

  async add(memory: Uint8Array, header: SliceHeader): Promise<void> {
    const whole = this.#buffer.subarray(0, SLICE_HEADER_SIZE + header.sizeBytes);
    encodeSliceHeader(header, whole);
    whole.set(memory.subarray(0, header.sizeBytes), SLICE_HEADER_SIZE);
    this.#checksum = crc32(whole, this.#checksum);
    this.#header.slices++;
    this.#header.sizeBytes += whole.length;
    await writeAll(this.#file, whole);
  }

  async finish(): Promise<void> {
    const header = encodeFileHeader(this.#header);
    setChecksum(header, crc32(header.subarray(0, FILE_SUMMED_SIZE), this.#checksum));
    await this.#file.seek(0, Deno.SeekMode.Start);
    await writeAll(this.#file, header);
    await this.#file.sync();
    const { dev, ino } = await this.#file.stat();
    this.#file.close();
    this.#isOpen = false;
    const there = await Deno.lstat(this.#temporary);
    if (there.dev !== dev || there.ino !== ino) {
      throw new Error("another process writes the same file (name another one for each)");
    }
    await Deno.rename(this.#temporary, this.#path);
    this.#finished = true;
  }

  /** Removes unfinished files; ignores errors. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#finished) return;
    if (this.#isOpen) this.#file.close();
    await removeIfThere(this.#temporary).catch(() => {});
  }
}

/** Verifies the checksum, then reads slices. */
export class SnapshotReader {
  readonly #file: Deno.FsFile;
  readonly #buffer = new Uint8Array(SLICE_HEADER_SIZE + MAX_SLICE_SIZE);
  #left: number;
  #slices: number;
  readonly timeMs: number;

  private constructor(file: Deno.FsFile, { sizeBytes, slices, timeMs }: FileHeader) {
    this.#file = file;
    this.#left = sizeBytes;
    this.#slices = slices;
    this.timeMs = timeMs;
  }

  /** Null if there is no file. Throws if it is unusable. */
  static async open(path: string): Promise<SnapshotReader | null> {
    let file: Deno.FsFile;
    try {
      await requireOwn(path);
      file = await Deno.open(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
    try {
      const { size } = await file.stat();
      const bytes = new Uint8Array(FILE_HEADER_SIZE);
      for (let at = 0; at < Math.min(size, bytes.length);) {
        at += await readSome(file, bytes.subarray(at));
      }
      const header = decodeFileHeader(bytes, size);
      let checksum = 0;
      const block = new Uint8Array(Math.min(READ_SIZE, Math.max(1, header.sizeBytes)));
      for (let left = header.sizeBytes; left > 0;) {
        const count = await readSome(file, block.subarray(0, Math.min(left, block.length)));
        checksum = crc32(block.subarray(0, count), checksum);
        left -= count;
      }
      if (checksumOf(bytes) !== crc32(bytes.subarray(0, FILE_SUMMED_SIZE), checksum)) {
        throw new TypeError("it is damaged: its checksum is wrong");
      }
      await file.seek(FILE_HEADER_SIZE, Deno.SeekMode.Start);
      return new SnapshotReader(file, header);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Copies the next slice's entries to `memory`; null at the end. */
  next(memory: Uint8Array): SliceHeader | null {
    if (this.#slices === 0 && this.#left === 0) return null;
    if (this.#slices-- === 0) {
      throw new TypeError("it is damaged: it has more slices than its header says");
    }
    const head = this.#buffer.subarray(0, SLICE_HEADER_SIZE);
    this.#read(head);
    const header = decodeSliceHeader(head, this.#left);
    const entries = this.#buffer.subarray(0, header.sizeBytes);
    this.#read(entries);
    memory.set(entries);
    this.#left -= SLICE_HEADER_SIZE + header.sizeBytes;
    return header;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  /** Synchronous: the file is in the page cache. */
  #read(into: Uint8Array): void {
    for (let at = 0; at < into.length;) {
      const count = this.#file.readSync(into.subarray(at));
      if (count === null) throw truncated();
      at += count;
    }
  }
}

function temporaryOf(path: string): string {
  return `${path}.tmp`;
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

async function readSome(file: Deno.FsFile, into: Uint8Array): Promise<number> {
  const count = await file.read(into);
  if (count === null) throw truncated();
  return count;
}

function truncated(): TypeError {
  return new TypeError("it is damaged: it is truncated");
}

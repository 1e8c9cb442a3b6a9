/** Reading and writing of the files that caches are kept in; `snapshot_file.ts` draws them. */
import { crc32 } from "node:zlib";
import { requireOwn } from "../../../sys/own_file.ts";
import {
  decodeFileHeader,
  decodeSliceHeader,
  encodeFileHeader,
  encodeSliceHeader,
  FILE_HEADER_SIZE,
  FILE_SUMMED_SIZE,
  type FileHeader,
  isChecksum,
  MAX_SLICE_SIZE,
  setChecksum,
  SLICE_HEADER_SIZE,
  type SliceHeader,
} from "../persist/snapshot_file.ts";

/** Bytes read at once while the checksum is made. */
const READ_SIZE = 1024 * 1024;
/** Who asks what about whom is private: the file is the owner's alone. */
const FILE_MODE = 0o600;

/**
 * Writes a file slice by slice beside its place and moves it there when it is whole, so that there
 * is never half a file under the name.
 */
export class SnapshotWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: Deno.FsFile;
  readonly #timeMs: number;
  readonly #buffer = new Uint8Array(SLICE_HEADER_SIZE + MAX_SLICE_SIZE);
  #slices = 0;
  #sizeBytes = 0;
  #checksum = 0;

  private constructor(path: string, file: Deno.FsFile, timeMs: number) {
    this.#path = path;
    this.#temporary = temporaryOf(path);
    this.#file = file;
    this.#timeMs = timeMs;
  }

  /**
   * Begins a file. Throws what the system says, and where other users may write to the file or its
   * folder.
   */
  static async open(path: string, timeMs: number): Promise<SnapshotWriter> {
    await requireOwn(path);
    const temporary = temporaryOf(path);
    // A leftover of a process that was killed. A link that somebody has put there is not followed.
    await removeIfThere(temporary);
    const file = await Deno.open(temporary, { write: true, createNew: true, mode: FILE_MODE });
    const writer = new SnapshotWriter(path, file, timeMs);
    try {
      await writeAll(file, new Uint8Array(FILE_HEADER_SIZE));
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    return writer;
  }

  /** Bytes of the whole file so far. */
  get sizeBytes(): number {
    return FILE_HEADER_SIZE + this.#sizeBytes;
  }

  /** Adds the entries that lie at the start of `memory`. */
  async add(memory: Uint8Array, header: SliceHeader): Promise<void> {
    const whole = this.#buffer.subarray(0, SLICE_HEADER_SIZE + header.sizeBytes);
    encodeSliceHeader(header, whole);
    whole.set(memory.subarray(0, header.sizeBytes), SLICE_HEADER_SIZE);
    this.#checksum = crc32(whole, this.#checksum);
    this.#slices++;
    this.#sizeBytes += whole.length;
    await writeAll(this.#file, whole);
  }

  /** Puts the file in its place, once it is on the disk. */
  async finish(): Promise<void> {
    const header = encodeFileHeader({
      slices: this.#slices,
      timeMs: this.#timeMs,
      sizeBytes: this.#sizeBytes,
    });
    setChecksum(header, crc32(header.subarray(0, FILE_SUMMED_SIZE), this.#checksum));
    await this.#file.seek(0, Deno.SeekMode.Start);
    await writeAll(this.#file, header);
    await this.#file.sync();
    const { dev, ino } = await this.#file.stat();
    this.#file.close();
    const there = await Deno.lstat(this.#temporary);
    if (there.dev !== dev || there.ino !== ino) {
      throw new Error("another process writes the same file (name another one for each)");
    }
    await Deno.rename(this.#temporary, this.#path);
  }

  /** Takes away what was written; says nothing if that cannot be done. */
  async abandon(): Promise<void> {
    try {
      this.#file.close();
    } catch {
      // `finish` has closed it.
    }
    await removeIfThere(this.#temporary).catch(() => {});
  }
}

/** A file whose checksum was found right, read slice by slice. */
export class SnapshotReader {
  readonly #file: Deno.FsFile;
  readonly #buffer = new Uint8Array(SLICE_HEADER_SIZE + MAX_SLICE_SIZE);
  #left: number;
  #slices: number;
  readonly timeMs: number;

  private constructor(file: Deno.FsFile, header: FileHeader) {
    this.#file = file;
    this.#left = header.sizeBytes;
    this.#slices = header.slices;
    this.timeMs = header.timeMs;
  }

  /**
   * Opens a file and checks all of it; null if there is none. Throws an error that says why it
   * cannot be used, be it that other users may write to it.
   */
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
      const got = await readFully(file, bytes);
      const header = decodeFileHeader(bytes.subarray(0, got), size);
      let checksum = 0;
      const block = new Uint8Array(Math.min(READ_SIZE, Math.max(1, header.sizeBytes)));
      for (let left = header.sizeBytes; left > 0;) {
        const count = await file.read(block.subarray(0, Math.min(left, block.length)));
        if (count === null) throw new TypeError("it is damaged: it ends early");
        checksum = crc32(block.subarray(0, count), checksum);
        left -= count;
      }
      checksum = crc32(bytes.subarray(0, FILE_SUMMED_SIZE), checksum);
      if (!isChecksum(bytes, checksum)) {
        throw new TypeError("it is damaged: its checksum is another");
      }
      await file.seek(FILE_HEADER_SIZE, Deno.SeekMode.Start);
      return new SnapshotReader(file, header);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Copies the entries of the next slice to the start of `memory`; null behind the last. */
  next(memory: Uint8Array): SliceHeader | null {
    if (this.#slices === 0 && this.#left === 0) return null;
    if (this.#slices-- === 0) throw new TypeError("it is damaged: it has more slices than it says");
    // From the page cache: the checksum has just been made.
    const head = this.#buffer.subarray(0, SLICE_HEADER_SIZE);
    this.#readSync(head);
    const header = decodeSliceHeader(head, this.#left);
    const entries = this.#buffer.subarray(SLICE_HEADER_SIZE, SLICE_HEADER_SIZE + header.sizeBytes);
    this.#readSync(entries);
    memory.set(entries);
    this.#left -= SLICE_HEADER_SIZE + header.sizeBytes;
    return header;
  }

  close(): void {
    this.#file.close();
  }

  #readSync(into: Uint8Array): void {
    for (let at = 0; at < into.length;) {
      const count = this.#file.readSync(into.subarray(at));
      if (count === null) throw new TypeError("it is damaged: it ends early");
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

async function readFully(file: Deno.FsFile, into: Uint8Array): Promise<number> {
  let at = 0;
  while (at < into.length) {
    const count = await file.read(into.subarray(at));
    if (count === null) break;
    at += count;
  }
  return at;
}

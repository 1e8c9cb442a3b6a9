/**
 * Archives that a kernel unpacks into memory before it starts `/init`: cpio's "newc" format (the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst). A file may have several.
 */

const MAGIC = "070701";
const KIND = { folder: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 } as const;
/** Name of the last member. */
const END = "TRAILER!!!";

/** Writes an archive of root's files. */
export class Initramfs {
  readonly #file: Deno.FsFile;
  readonly #made = new Set<string>();
  #serial = 0;

  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
  }

  /** Adds a folder with its parents. Paths begin with a slash. */
  folder(path: string): void {
    if (path === "" || path === "/" || this.#made.has(path)) return;
    this.#member(path, { mode: KIND.folder | 0o755 });
  }

  file(path: string, content: string | Uint8Array, { executable = false } = {}): void {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    this.#member(path, { mode: KIND.file | (executable ? 0o755 : 0o644), bytes });
  }

  link(path: string, to: string): void {
    this.#member(path, { mode: KIND.link | 0o777, bytes: new TextEncoder().encode(to) });
  }

  /** Adds a character device. */
  device(path: string, major: number, minor: number): void {
    this.#member(path, { mode: KIND.device | 0o600, device: [major, minor] });
  }

  /** Adds a file or folder of this machine. */
  copy(from: string, path: string = from): void {
    const stat = Deno.statSync(from);
    if (!stat.isDirectory) {
      this.file(path, Deno.readFileSync(from), { executable: ((stat.mode ?? 0) & 0o111) !== 0 });
      return;
    }
    this.folder(path);
    for (const { name } of Deno.readDirSync(from)) this.copy(`${from}/${name}`, `${path}/${name}`);
  }

  close(): void {
    this.#write(END, { mode: 0 });
    this.#file.close();
  }

  #member(path: string, what: Member): void {
    if (this.#made.has(path)) return;
    this.folder(path.slice(0, path.lastIndexOf("/")));
    this.#made.add(path);
    this.#write(path.slice(1), what);
  }

  #write(path: string, { mode, bytes = new Uint8Array(), device = [0, 0] }: Member): void {
    const name = new TextEncoder().encode(`${path}\0`);
    const fields = [
      ...[this.#serial++, mode, 0, 0, 1, 0, bytes.length, 0, 0],
      ...[...device, name.length, 0],
    ];
    const header = MAGIC + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
    this.#put(Uint8Array.from([...new TextEncoder().encode(header), ...name]));
    this.#put(bytes);
  }

  /** Writes to the next multiple of four octets. */
  #put(bytes: Uint8Array): void {
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    for (let at = 0; at < padded.length;) at += this.#file.writeSync(padded.subarray(at));
  }
}

interface Member {
  readonly mode: number;
  readonly bytes?: Uint8Array;
  readonly device?: readonly [number, number];
}

import { readFailure } from "../corefile/read_failure.ts";
import { readRegularFile } from "../sys/regular_file.ts";
import {
  buildFromPieces,
  type HostsBuildRequest,
  type HostsBuilt,
  PIECE_BYTES,
  piecesOf,
} from "./hosts_build.ts";

/** What has not come of a file after this long never will: its file system hangs. */
const LIMIT_MS = 30_000;
/** Nobody can end a thread that waits in the kernel. So a file is given up after this many. */
const MAX_HANGS = 2;
/**
 * Time after which what a thread has left behind is given back; also the shortest time between two
 * such clearances, which cost the data planes some page faults.
 */
const RELEASE_MS = 10_000;

/** What differs in tests. */
export interface HostsBuilderOptions {
  /** Gives memory back that the process does not need any more (`sys/memory.ts`). */
  release?: (() => void) | null;
  limitMs?: number;
}

/** Makes tables of hosts files: large ones in a thread of its own, one file at a time. */
export class HostsBuilder {
  readonly #limitMs: number;
  #release: (() => void) | null;
  #last: Promise<unknown> = Promise.resolve();
  /** How often reading a file hung, by path. */
  readonly #hangs = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ release = null, limitMs = LIMIT_MS }: HostsBuilderOptions = {}) {
    this.#release = release;
    this.#limitMs = limitMs;
  }

  /** Gives nothing back any more. */
  stop(): void {
    this.#release = null;
    clearTimeout(this.#timer);
  }

  /** State of a file. Rejects with the system's error, or where the file system hangs. */
  stat(path: string): Promise<Deno.FileInfo> {
    return this.#limited(path, () => Deno.stat(path));
  }

  /** Makes a table. `sizeBytes` is what the file is thought to have; never rejects. */
  async build(request: HostsBuildRequest, sizeBytes: number): Promise<HostsBuilt> {
    try {
      if (sizeBytes > PIECE_BYTES) return await this.#inTurn(request);
      const read = () => readRegularFile(request.path, PIECE_BYTES);
      const content = await this.#limited(request.path, read).catch(async (error) => {
        const { size } = await this.stat(request.path);
        if (size <= PIECE_BYTES) throw error;
        // It has grown meanwhile.
        return null;
      });
      if (content === null) return await this.#inTurn(request);
      return buildFromPieces(request, piecesOf(content));
    } catch (error) {
      return { kind: "failed", why: readFailure(error) };
    }
  }

  #inTurn(request: HostsBuildRequest): Promise<HostsBuilt> {
    const built = this.#last.then(() => this.#inThread(request));
    this.#last = built.catch(() => {});
    return built;
  }

  async #inThread(request: HostsBuildRequest): Promise<HostsBuilt> {
    const worker = new Worker(new URL("./hosts_worker.ts", import.meta.url), { type: "module" });
    const built = () =>
      new Promise<HostsBuilt>((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<HostsBuilt>) => resolve(data);
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
        };
        worker.postMessage(request);
      });
    try {
      return await this.#limited(request.path, built);
    } finally {
      worker.terminate();
      this.#releaseLater();
    }
  }

  /** What comes of `work`, unless the limit comes first. */
  async #limited<T>(path: string, work: () => Promise<T>): Promise<T> {
    const hangs = this.#hangs.get(path) ?? 0;
    if (hangs >= MAX_HANGS) {
      throw new Error(`reading it hung ${hangs} times (start nodens again when it does not)`);
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#hangs.set(path, hangs + 1);
        reject(new Error(`it could not be read within ${this.#limitMs / 1000} s`));
      }, this.#limitMs);
    });
    try {
      return await Promise.race([work(), limit]);
    } finally {
      clearTimeout(timer);
    }
  }

  #releaseLater(): void {
    if (this.#release === null || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#release?.();
    }, RELEASE_MS);
  }
}

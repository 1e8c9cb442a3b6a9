import { readFailure } from "../../../corefile/read_failure.ts";
import { readRegularFile } from "../../../sys/regular_file.ts";
import {
  buildFromPieces,
  type HostsBuildRequest,
  type HostsBuilt,
  PIECE_BYTES,
  piecesOf,
} from "./build.ts";

/** A file of which nothing has come for this long is taken for one whose file system hangs. */
const LIMIT_MS = 30_000;
/** Nobody can end a read that waits in the kernel. So this many of a file may be left waiting. */
const MAX_HANGING = 2;
/** Makes tables of hosts files: large ones in a thread of its own, one file at a time. */
export class HostsBuilder {
  readonly #limitMs: number;
  #last: Promise<unknown> = Promise.resolve();
  /** Reads that were given up and have not ended, by path. */
  readonly #hanging = new Map<string, number>();

  constructor({ limitMs = LIMIT_MS } = {}) {
    this.#limitMs = limitMs;
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
    return await this.#limited(request.path, (alive) => this.#runThread(request, alive));
  }

  /** Ends with the thread: one that is given up goes on until the kernel lets go of its read. */
  async #runThread(request: HostsBuildRequest, alive: () => void): Promise<HostsBuilt> {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    try {
      return await new Promise<HostsBuilt>((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<HostsBuilt | "reading">) =>
          data === "reading" ? alive() : resolve(data);
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
        };
        worker.postMessage(request);
      });
    } finally {
      worker.terminate();
    }
  }

  /** What comes of `work`, unless it gives no sign of life for too long. */
  async #limited<T>(path: string, work: (alive: () => void) => Promise<T>): Promise<T> {
    const hanging = this.#hanging.get(path) ?? 0;
    if (hanging >= MAX_HANGING) throw new Error(`${hanging} reads of it hang`);
    const limit = Promise.withResolvers<never>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let givenUp = false;
    const alive = () => {
      clearTimeout(timer);
      if (givenUp) return;
      timer = setTimeout(() => {
        givenUp = true;
        this.#countHanging(path, 1);
        limit.reject(new Error(`nothing has come of it for ${this.#limitMs / 1000} s`));
      }, this.#limitMs);
    };
    alive();
    const working = work(alive).finally(() => {
      clearTimeout(timer);
      if (givenUp) this.#countHanging(path, -1);
    });
    // One that was given up may fail later, when nobody looks.
    working.catch(() => {});
    return await Promise.race([working, limit.promise]);
  }

  #countHanging(path: string, change: number): void {
    const hanging = (this.#hanging.get(path) ?? 0) + change;
    if (hanging === 0) this.#hanging.delete(path);
    else this.#hanging.set(path, hanging);
  }
}

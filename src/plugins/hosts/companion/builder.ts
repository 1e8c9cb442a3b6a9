import { type Cancel, type Clock, systemClock } from "../../../base/clock.ts";
import { readFailure } from "../../../corefile/read_failure.ts";
import { readRegularFile } from "../../../sys/regular_file.ts";
import {
  buildFromPieces,
  type HostsBuildRequest,
  type HostsBuilt,
  PIECE_BYTES,
  type Pieces,
} from "./build.ts";

/** A read without progress for this long is abandoned. */
const LIMIT_MS = 30_000;
/** Abandoned reads per file; each keeps a thread. */
const MAX_HANGING = 2;

/** Builds tables, large ones in a thread, one at a time. */
export class HostsBuilder {
  readonly #clock: Clock;
  #lastThread: Promise<unknown> = Promise.resolve();
  /** By path. */
  readonly #hanging = new Map<string, number>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Also rejects if the file system hangs. */
  stat(path: string): Promise<Deno.FileInfo> {
    return this.#limited(path, () => Deno.stat(path));
  }

  /** `sizeBytes` was last seen. Never rejects. */
  async build(request: HostsBuildRequest, sizeBytes: number): Promise<HostsBuilt> {
    const { path } = request;
    try {
      if (sizeBytes > PIECE_BYTES) return await this.#inThread(request);
      let content: Uint8Array;
      try {
        content = await this.#limited(path, () => readRegularFile(path, PIECE_BYTES));
      } catch (error) {
        // It may have grown.
        if ((await this.stat(path)).size > PIECE_BYTES) return await this.#inThread(request);
        throw error;
      }
      return buildFromPieces(request, piecesOf(content));
    } catch (error) {
      return { kind: "failed", why: readFailure(error) };
    }
  }

  #inThread(request: HostsBuildRequest): Promise<HostsBuilt> {
    const built = this.#lastThread.then(() =>
      this.#limited(request.path, (progress) => runThread(request, progress))
    );
    this.#lastThread = built.catch(() => {});
    return built;
  }

  /** Rejects without progress for `LIMIT_MS`. */
  async #limited<T>(path: string, work: (progress: () => void) => Promise<T>): Promise<T> {
    const hanging = this.#hanging.get(path) ?? 0;
    if (hanging >= MAX_HANGING) throw new Error(`${hanging} earlier reads of it still hang`);
    const abandoned = Promise.withResolvers<never>();
    let isAbandoned = false;
    let cancel: Cancel = () => {};
    const progress = () => {
      cancel();
      if (isAbandoned) return;
      cancel = this.#clock.after(LIMIT_MS, () => {
        isAbandoned = true;
        this.#countHanging(path, 1);
        abandoned.reject(new Error(`reading it made no progress for ${LIMIT_MS / 1000} s`));
      });
    };
    progress();
    const working = work(progress).finally(() => {
      cancel();
      if (isAbandoned) this.#countHanging(path, -1);
    });
    // Abandoned work may fail later.
    working.catch(() => {});
    return await Promise.race([working, abandoned.promise]);
  }

  #countHanging(path: string, change: number): void {
    const hanging = (this.#hanging.get(path) ?? 0) + change;
    if (hanging === 0) this.#hanging.delete(path);
    else this.#hanging.set(path, hanging);
  }
}

async function runThread(request: HostsBuildRequest, progress: () => void): Promise<HostsBuilt> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise<HostsBuilt>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<HostsBuilt | "reading">) =>
        data === "reading" ? progress() : resolve(data);
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

function piecesOf(content: Uint8Array): Pieces {
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

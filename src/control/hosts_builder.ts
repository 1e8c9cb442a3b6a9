import { readFailure } from "../corefile/read_failure.ts";
import { readRegularFile } from "../sys/regular_file.ts";
import {
  buildFromPieces,
  type HostsBuildRequest,
  type HostsBuilt,
  PIECE_BYTES,
  piecesOf,
} from "./hosts_build.ts";

/** A thread that has not read its file after this long never will: a file system that hangs. */
const LIMIT_MS = 30_000;
/**
 * A thread that waits in the kernel cannot be ended. After this many that were given up, no more
 * are started.
 */
const MAX_GIVEN_UP = 2;

/**
 * Time after which what a thread has left behind is given back; also the shortest time between two
 * such clearances, which cost the data planes some page faults.
 */
const RELEASE_MS = 10_000;

/** Makes tables of hosts files: large ones in a thread of its own, one file at a time. */
export class HostsBuilder {
  #release: (() => void) | null;
  #last: Promise<unknown> = Promise.resolve();
  #givenUp = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param release - gives memory back that the process does not need any more (`sys/memory.ts`) */
  constructor(release: (() => void) | null = null) {
    this.#release = release;
  }

  /** Ends what is to come. */
  stop(): void {
    this.#release = null;
    clearTimeout(this.#timer);
  }

  /** Makes a table. `sizeBytes` is what the file is thought to have; never rejects. */
  async build(request: HostsBuildRequest, sizeBytes: number): Promise<HostsBuilt> {
    if (sizeBytes > PIECE_BYTES) return await this.#inTurn(request);
    try {
      const content = await readRegularFile(request.path, PIECE_BYTES);
      return buildFromPieces(request, piecesOf(content));
    } catch (error) {
      const { size } = await Deno.stat(request.path).catch(() => ({ size: 0 }));
      if (size > PIECE_BYTES) return await this.#inTurn(request);
      return { kind: "failed", why: readFailure(error) };
    }
  }

  #inTurn(request: HostsBuildRequest): Promise<HostsBuilt> {
    const built = this.#last.then(() => this.#inThread(request));
    this.#last = built;
    return built;
  }

  async #inThread(request: HostsBuildRequest): Promise<HostsBuilt> {
    if (this.#givenUp >= MAX_GIVEN_UP) {
      return { kind: "failed", why: `reading it hung ${MAX_GIVEN_UP} times (start nodens again)` };
    }
    const done = Promise.withResolvers<HostsBuilt>();
    const failed = (why: string) => done.resolve({ kind: "failed", why });
    const worker = new Worker(new URL("./hosts_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<HostsBuilt>) => done.resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      failed(event.message);
    };
    const timer = setTimeout(() => {
      this.#givenUp++;
      failed(`it could not be read within ${LIMIT_MS / 1000} s`);
    }, LIMIT_MS);
    worker.postMessage(request);
    const built = await done.promise;
    clearTimeout(timer);
    worker.terminate();
    this.#releaseLater();
    return built;
  }

  #releaseLater(): void {
    if (this.#release === null || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#release?.();
    }, RELEASE_MS);
  }
}

import { type Clock, systemClock } from "../base/clock.ts";
import { readFailure } from "../corefile/read_failure.ts";
import {
  fileState,
  MAX_CONFIG_BYTES,
  readRegularText,
  requireRegular,
} from "../sys/regular_file.ts";
import { poll } from "./poll.ts";

const POLL_MS = 1000;
/** A change counts once the file has been the same for this long: writers need a while. */
const SETTLE_MS = 200;

/** Options of a `FileWatch`. */
export interface FileWatchOptions {
  /** Returns why a text cannot be used, or null if it can. */
  check: (text: string) => string | null;
  /** Called for each new text, including the first. */
  onText: (text: string) => void;
  /** Called once when the file becomes unusable. */
  onProblem: (why: string) => void;
  /** The caller has already reported that the file is unusable. */
  troubled: boolean;
  clock?: Clock;
}

/**
 * Follows the content of a file. It polls, because notifications miss symbolic links that are swapped
 * further up, bind mounts that are replaced, and network file systems.
 */
export class FileWatch {
  readonly path: string;
  readonly #options: FileWatchOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** The last usable text; null before the first. */
  #text: string | null = null;
  /** The last accepted result: a text, or why there was none. */
  #known = "";
  /** A different result, which is accepted if it is found once more. */
  #pending: string | null = null;
  /** Text of the file when its state was `#state`. */
  #read: string | null = null;
  #state = "";
  #troubled: boolean;

  constructor(path: string, options: FileWatchOptions) {
    this.path = path;
    this.#options = options;
    this.#troubled = options.troubled;
  }

  /** Begins to poll, not at once: the caller has just read the file. */
  start(): void {
    const { clock = systemClock } = this.#options;
    const { signal: stop } = this.#stop;
    this.#running = poll(() => this.#look(), { clock, stop, delayMs: POLL_MS });
  }

  /** Reads the file once. */
  async prime(): Promise<void> {
    await this.#look();
  }

  /** Stops polling; resolves once nothing is under way. */
  stop(): Promise<void> {
    this.#stop.abort();
    return this.#running;
  }

  /** Returns the milliseconds until the next look. */
  async #look(): Promise<number> {
    let text: string | null = null;
    let why = "";
    try {
      text = await this.#load();
      why = this.#options.check(text) ?? "";
    } catch (error) {
      why = readFailure(error);
    }
    if (this.#stop.signal.aborted) return POLL_MS;
    // The prefix keeps texts and reasons apart.
    const found = text === null ? `-${why}` : `+${text}`;
    const firstText = this.#known === "" && why === "";
    if (found !== this.#known && found !== this.#pending && !firstText) {
      this.#pending = found;
      return SETTLE_MS;
    }
    this.#pending = null;
    if (found !== this.#known) {
      this.#known = found;
      this.#report(text, why);
    }
    return POLL_MS;
  }

  #report(text: string | null, why: string): void {
    if (why !== "" || text === null) {
      if (!this.#troubled) this.#options.onProblem(why);
      this.#troubled = true;
      return;
    }
    this.#troubled = false;
    if (text === this.#text) return;
    this.#text = text;
    this.#options.onText(text);
  }

  /** Reads the file if it may have changed. */
  async #load(): Promise<string> {
    const stat = await Deno.stat(this.path);
    requireRegular(stat, MAX_CONFIG_BYTES);
    // File systems use the system's time, whatever the clock of a test says.
    const { text: state, fresh } = fileState(stat, Date.now());
    if (this.#read !== null && state === this.#state) return this.#read;
    const read = await readRegularText(this.path, MAX_CONFIG_BYTES);
    this.#read = fresh ? null : read;
    this.#state = state;
    return read;
  }
}

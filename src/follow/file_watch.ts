import { readFailure } from "../corefile/read_failure.ts";
import {
  fileState,
  MAX_CONFIG_BYTES,
  readRegularText,
  requireRegular,
} from "../sys/regular_file.ts";
import { Watch, type WatchOptions } from "./watch.ts";

const POLL_MS = 1000;
/** A changed file must stay the same. */
const SETTLE_MS = 200;

/** `FileWatch` options. */
export interface FileWatchOptions extends WatchOptions {
  /** Returns why a text is unusable. */
  check: (text: string) => string | null;
  /** Also for the first text. */
  onText: (text: string) => void;
}

/** Polls a file: notifications miss swapped parent links, bind mounts and network file systems. */
export class FileWatch extends Watch {
  readonly #path: string;
  readonly #options: FileWatchOptions;
  #text: string | null = null;
  #known = "";
  /** Accepted if found again. */
  #pending: string | null = null;
  #read: string | null = null;
  #state = "";

  constructor(path: string, options: FileWatchOptions) {
    super(options);
    this.#path = path;
    this.#options = options;
  }

  start(): void {
    this.pollAfter(POLL_MS);
  }

  /** Allowed before `start`. */
  async poll(): Promise<number> {
    let text: string | null = null;
    let why: string | null;
    try {
      text = await this.#load();
      why = this.#options.check(text);
    } catch (error) {
      why = readFailure(error);
    }
    if (this.stopped.aborted) return 0;
    // Tells texts from reasons.
    const found = text === null ? `-${why}` : `+${text}`;
    const isFirstText = this.#known === "" && why === null;
    if (found !== this.#known && found !== this.#pending && !isFirstText) {
      this.#pending = found;
      return SETTLE_MS;
    }
    this.#pending = null;
    if (found === this.#known) return POLL_MS;
    this.#known = found;
    this.report(why);
    if (why === null && text !== null && text !== this.#text) {
      this.#text = text;
      this.#options.onText(text);
    }
    return POLL_MS;
  }

  async #load(): Promise<string> {
    const stat = await Deno.stat(this.#path);
    requireRegular(stat, MAX_CONFIG_BYTES);
    // File systems ignore fake clocks.
    const { text: state, fresh } = fileState(stat, Date.now());
    if (this.#read !== null && state === this.#state) return this.#read;
    const read = await readRegularText(this.#path, MAX_CONFIG_BYTES);
    this.#read = fresh ? null : read;
    this.#state = state;
    return read;
  }
}

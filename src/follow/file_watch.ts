import { readFailure } from "../corefile/read_failure.ts";
import {
  fileState,
  MAX_CONFIG_BYTES,
  readRegularText,
  requireRegular,
} from "../sys/regular_file.ts";

/** A file is told as changed only once it has been the same for this long: writers need a while. */
const SETTLE_MS = 200;

/** How a file is watched, and who is told. */
export interface FileWatchOptions {
  /** From one look to the next. */
  pollMs: number;
  /** Says why a text cannot be used, or null if it can. */
  check: (text: string) => string | null;
  /** There is a new text; the first one, too. */
  onText: (text: string) => void;
  /** The file cannot be used; told once until it can again. */
  onProblem: (why: string) => void;
  /** Whoever starts has told already that it cannot be used. */
  troubled?: boolean;
}

/**
 * Follows the content of a file.
 *
 * It looks instead of being told: notifications do not come for a symbolic link that is swapped
 * further up, for a bind mount that is replaced, or from a network's file system.
 */
export class FileWatch {
  readonly path: string;
  /** The last text that could be used; null before the first. */
  text: string | null = null;
  readonly #options: FileWatchOptions;
  /** What the last look that counted found: a text, or why there was none. */
  #known = "";
  /** What the last look found, where it differs from that; it counts if it is found once more. */
  #pending: string | null = null;
  /** Text of the file when it had the state `#state`. */
  #read: string | null = null;
  #state = "";
  #troubled: boolean;
  #stopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(path: string, options: FileWatchOptions) {
    this.path = path;
    this.#options = options;
    this.#troubled = options.troubled ?? false;
  }

  /** Begins to look; not at once, since whoever starts has read the file just now. */
  start(): void {
    this.#lookAfter(this.#options.pollMs);
  }

  /** Looks once, at once. */
  async prime(): Promise<void> {
    await this.#look();
    clearTimeout(this.#timer);
  }

  /** Stops looking; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    let text: string | null = null;
    let why = "";
    try {
      text = await this.#load();
      why = this.#options.check(text) ?? "";
    } catch (error) {
      why = readFailure(error);
    }
    if (this.#stopped) return;
    // A text and a reason cannot be taken for each other.
    const found = text === null ? `-${why}` : `+${text}`;
    let next = this.#options.pollMs;
    if (found === this.#known) {
      this.#pending = null;
    } else if (found === this.#pending || (this.#known === "" && why === "")) {
      this.#pending = null;
      this.#known = found;
      this.#tell(text, why);
    } else {
      this.#pending = found;
      next = Math.min(SETTLE_MS, next);
    }
    this.#lookAfter(next);
  }

  #lookAfter(delayMs: number): void {
    this.#timer = setTimeout(() => this.#looking = this.#look(), delayMs);
  }

  #tell(text: string | null, why: string): void {
    if (why !== "" || text === null) {
      if (!this.#troubled) this.#options.onProblem(why);
      this.#troubled = true;
      return;
    }
    this.#troubled = false;
    if (text === this.text) return;
    this.text = text;
    this.#options.onText(text);
  }

  /** Text of the file; it is read only where it may have changed. */
  async #load(): Promise<string> {
    const stat = await Deno.stat(this.path);
    requireRegular(stat, MAX_CONFIG_BYTES);
    const { text: state, fresh } = fileState(stat, Date.now());
    if (this.#read !== null && state === this.#state) return this.#read;
    const read = await readRegularText(this.path, MAX_CONFIG_BYTES);
    this.#read = fresh ? null : read;
    this.#state = state;
    return read;
  }
}

import { type Clock, systemClock } from "../../base/clock.ts";
import { doneWithin } from "../../base/deadline.ts";
import type { LogLevel } from "../../engine/handler.ts";
import {
  buildClientTable,
  type ClientName,
  ClientTable,
  MAX_CLIENT_NAME_BYTES,
  MAX_CLIENT_NAMES,
} from "../../engine/observe/client_table.ts";
import { HashKey } from "../../engine/question/keyed_hash.ts";
import type { MetricRegistry } from "../../metrics/registry.ts";

/** In ordinary pauses. */
const MAX_PAUSES = 6;

const BOUNDS = `at most ${MAX_CLIENT_NAMES} addresses, and ${MAX_CLIENT_NAME_BYTES} bytes of names`;

/** A file system may hang. */
const STOP_MS = 500;

/** Names, and skipped parts ("" for none). */
export interface NamesRead {
  readonly names: readonly ClientName[];
  readonly skipped: string;
}

/** Source of client names. */
export interface NameSource {
  readonly label: string;
  readonly everyMs: number;
  /** How long names outlive the last read: addresses get other owners. */
  readonly keptMs: number;
  /** Null if unchanged. Rejects with the reason. */
  read(signal: AbortSignal): Promise<NamesRead | null>;
}

/** `ClientNames` options. */
export interface ClientNamesOptions {
  readonly source: NameSource;
  readonly planes: readonly { nameClients(table: ArrayBuffer): void }[];
  readonly registry: MetricRegistry;
  readonly log: (level: LogLevel, line: string) => void;
  readonly clock?: Clock;
}

/** Names of client addresses, kept current. */
export class ClientNames {
  readonly #options: ClientNamesOptions;
  readonly #clock: Clock;
  readonly #key = HashKey.draw(() => crypto.getRandomValues(new Uint32Array(1))[0]!);
  readonly #failed: { add(): void };
  readonly #stop = new AbortController();
  #table: ClientTable;
  #readMs = NaN;
  #failures = 0;
  #problem = "";
  #skipped = "";
  #running: Promise<void> = Promise.resolve();
  #cancelPause = () => {};

  constructor(options: ClientNamesOptions) {
    const { registry, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#table = new ClientTable(buildClientTable([], this.#key));
    this.#failed = registry.counter("nodens_client_names_failures_total");
    registry.onScrape((book) => {
      book.add("nodens_client_names", {}, this.#table.size);
      // NaN until the first read: no series.
      const ageMs = clock.now() - this.#readMs;
      book.add("nodens_client_names_age_seconds", {}, ageMs / 1000);
    });
  }

  nameOf(address: string): string | null {
    const entry = this.#table.findText(address);
    return entry < 0 ? null : this.#table.nameAt(entry);
  }

  start(): void {
    this.#deliver();
    this.#running = this.#repeat();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#cancelPause();
    await doneWithin(this.#running, STOP_MS, this.#clock);
  }

  async #repeat(): Promise<void> {
    const { source } = this.#options;
    while (!this.#stop.signal.aborted) {
      await this.#look();
      if (this.#stop.signal.aborted) return;
      const pauseMs = source.everyMs * Math.min(2 ** this.#failures, MAX_PAUSES);
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(pauseMs, resolve);
        this.#cancelPause = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  async #look(): Promise<void> {
    const { source, log } = this.#options;
    try {
      const read = await source.read(this.#stop.signal);
      this.#readMs = this.#clock.now();
      this.#failures = 0;
      if (this.#problem !== "") log("info", `clients: ${source.label} can be read again`);
      this.#problem = "";
      if (read !== null) this.#use(read);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#failures = Math.min(this.#failures + 1, 16);
      this.#failed.add();
      this.#report((error as Error).message);
    }
  }

  #use({ names, skipped }: NamesRead): void {
    const { source, log } = this.#options;
    const table = new ClientTable(buildClientTable(names, this.#key));
    const left = names.filter(({ address }) => table.findText(address) < 0).length;
    const tooMany = left === 0 ? "" : `${left} names are left out (${BOUNDS})`;
    const fault = [tooMany, skipped].filter((text) => text !== "").join("; ");
    if (fault !== "" && fault !== this.#skipped) {
      log("warning", `clients: ${source.label}: ${fault}`);
    }
    this.#skipped = fault;
    if (sameBytes(table.buffer, this.#table.buffer)) return;
    this.#table = table;
    this.#deliver();
  }

  #report(problem: string): void {
    const { source, log } = this.#options;
    const expired = this.#clock.now() - this.#readMs > source.keptMs && this.#table.size > 0;
    if (expired) this.#use({ names: [], skipped: "" });
    const effect = this.#table.size > 0
      ? "the names read before are used"
      : "clients have no names";
    if (problem !== this.#problem || expired) {
      log("error", `clients: Cannot read ${source.label}: ${problem}; ${effect}`);
    }
    this.#problem = problem;
  }

  #deliver(): void {
    for (const plane of this.#options.planes) plane.nameClients(this.#table.buffer);
  }
}

function sameBytes(a: ArrayBuffer, b: ArrayBuffer): boolean {
  if (a.byteLength !== b.byteLength) return false;
  const [left, right] = [new Uint32Array(a), new Uint32Array(b)];
  return left.every((word, i) => word === right[i]);
}

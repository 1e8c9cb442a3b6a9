import { hostsTableShareOf } from "../../../config/memory_limit.ts";
import type { Config } from "../../../config/types.ts";
import { readFailure } from "../../../corefile/read_failure.ts";
import type { LogLevel } from "../../../engine/handler.ts";
import { HashKey } from "../../../engine/question/keyed_hash.ts";
import type { MetricRegistry } from "../../../metrics/registry.ts";
import { releaseBuffer } from "../../../base/transfer.ts";
import type { HostsOptions } from "../options.ts";
import { fileState, MAX_HOSTS_BYTES, requireRegular } from "../../../sys/regular_file.ts";
import type { Deliver, Delivery, Follower as Follows } from "../../companion.ts";
import type { HostsBuilt, HostsReport } from "./build.ts";
import type { HostsBuilder } from "./builder.ts";
import { refusalText, skippedText } from "./text.ts";

/** State of a file that could not be read, which is reported once. */
const MISSING = "missing";
/** Most bytes of all tables where memory has no known limit: some ten million names. */
const MAX_TABLES_BYTES = 512 * 2 ** 20;
/** A file is left alone for this many times as long as it took to read: at most a tenth of a core. */
const REST = 9;

/** One `hosts` directive and what is known of its file. */
interface Follower {
  block: number;
  position: number;
  options: HostsOptions;
  /** State of the file when it was read, or `MISSING`; empty before. */
  known: string;
  /** The file may have changed since without another state. */
  fresh: boolean;
  /** There was no room for its table. */
  refused: boolean;
  /** Digest of the content that was handed on; null for none. */
  digest: string | null;
  /** Size of the table that was handed on. */
  tableBytes: number;
  report: HostsReport | null;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** What following hosts files needs. */
export interface HostsFilesOptions {
  /** Where new tables go. */
  deliver: Deliver;
  /** How many data planes hold a copy; default: one. */
  copies?: number;
  builder: HostsBuilder;
  log: (level: LogLevel, line: string) => void;
  registry?: MetricRegistry | null;
  /** Those of the configuration before: handlers keep their tables until there are new ones. */
  previous?: HostsFiles | null;
}

/** Follows the files of the `hosts` directives of one configuration. */
export class HostsFiles implements Follows {
  readonly #options: Omit<HostsFilesOptions, "previous">;
  readonly #memoryBytes: number | undefined;
  readonly #followers: readonly Follower[];
  readonly #key = HashKey.draw(() => crypto.getRandomValues(new Uint32Array(1))[0]!);
  #stopped = false;

  constructor(config: Config, { previous, ...options }: HostsFilesOptions) {
    this.#memoryBytes = config.memoryBytes;
    this.#options = options;
    this.#followers = config.blocks.flatMap(({ plugins }, block) =>
      plugins.flatMap(({ name, options }, position) =>
        name === "hosts" ? [newFollower(block, position, options as HostsOptions)] : []
      )
    );
    if (previous === undefined || previous === null) return;
    for (const one of this.#followers) {
      const before = previous.#followers.find((old) => sameTable(one, old));
      if (before === undefined) continue;
      one.tableBytes = before.tableBytes;
      one.report = before.report;
    }
  }

  /** Reads every file: what the handlers get before they serve. */
  async prepare(): Promise<Delivery[]> {
    const deliveries: Delivery[] = [];
    // One after the other, because each takes of the room that is left for the next.
    for (const follower of this.#followers) {
      const delivery = await this.#load(follower);
      if (delivery !== null) deliveries.push(delivery);
    }
    return deliveries;
  }

  /** Reads every file once more, for a data plane that has lost its tables. */
  async again(): Promise<Delivery[]> {
    const deliveries: Delivery[] = [];
    for (const follower of this.#followers) {
      const stat = await this.#options.builder.stat(follower.options.path).catch(() => null);
      if (stat === null) continue;
      const built = await this.#build(follower, { size: stat.size, known: null });
      if (built.kind !== "table") continue;
      const { block, position } = follower;
      deliveries.push({ block, position, data: built.table });
    }
    return deliveries;
  }

  /** Reads files again when they change, and tells the data planes. */
  start(): void {
    this.#publish();
    for (const follower of this.#followers) {
      const { reloadMs } = follower.options;
      if (reloadMs > 0) this.#lookAfter(follower, reloadMs);
    }
  }

  /** Stops watching. */
  stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#followers) clearTimeout(timer);
    return Promise.resolve();
  }

  #lookAfter(follower: Follower, delayMs: number): void {
    if (!this.#stopped) follower.timer = setTimeout(() => void this.#look(follower), delayMs);
  }

  async #look(follower: Follower): Promise<void> {
    const startMs = performance.now();
    const before = follower.tableBytes;
    try {
      const delivery = await this.#load(follower);
      if (delivery === null) return;
      const { block, position, data } = delivery;
      this.#options.deliver(block, position, data);
      this.#publish();
      if (follower.tableBytes < before) this.#retryRefused();
    } catch (error) {
      // No memory for a copy, most likely: it is read again later.
      follower.known = MISSING;
      follower.digest = null;
      const { path } = follower.options;
      this.#options.log(
        "error",
        `plugin/hosts: Cannot hand "${path}" on to the data plane: ${(error as Error).message}`,
      );
    } finally {
      const tookMs = performance.now() - startMs;
      this.#lookAfter(follower, Math.max(follower.options.reloadMs, REST * tookMs));
    }
  }

  /** There is more room: a file that did not fit may fit now. */
  #retryRefused(): void {
    for (const one of this.#followers) if (one.refused) one.fresh = true;
  }

  /** Reads the file if it may differ from what is known; a file that went stays served. */
  async #load(follower: Follower): Promise<Delivery | null> {
    const { block, position, options: { path } } = follower;
    try {
      const stat = await this.#options.builder.stat(path);
      requireRegular(stat, MAX_HOSTS_BYTES);
      const state = fileState(stat, Date.now());
      if (state.text === follower.known && !follower.fresh) return null;
      const built = await this.#build(follower, { size: stat.size, known: follower.digest });
      if (this.#stopped) {
        if (built.kind === "table") releaseBuffer(built.table);
        return null;
      }
      if (built.kind === "failed") throw new Error(built.why);
      const seenBefore = state.text === follower.known;
      follower.known = state.text;
      follower.fresh = state.fresh;
      follower.refused = built.kind === "full";
      if (built.kind === "full") {
        if (!seenBefore) this.#refuse(follower, built);
        return null;
      }
      const { registry } = this.#options;
      registry?.gauge("coredns_hosts_reload_timestamp_seconds")
        .set((stat.mtime?.getTime() ?? NaN) / 1000);
      if (built.kind === "same") return null;
      const { table, digest, report } = built;
      follower.digest = digest;
      follower.tableBytes = table.byteLength;
      follower.report = report;
      const skipped = skippedText(path, report);
      if (skipped !== null) this.#options.log("warning", `plugin/hosts: ${skipped}`);
      return { block, position, data: table };
    } catch (error) {
      if (this.#stopped) return null;
      if (follower.known !== MISSING) {
        this.#options.log("warning", `plugin/hosts: Cannot read "${path}": ${readFailure(error)}`);
      }
      follower.known = MISSING;
      return null;
    }
  }

  #build(
    follower: Follower,
    { size, known }: { size: number; known: string | null },
  ): Promise<HostsBuilt> {
    const { path, zones, autoReverse, inline } = follower.options;
    const { k0, k1 } = this.#key;
    const key = { k0, k1 };
    const maxBytes = this.#roomOf(follower);
    const request = { path, zones, autoReverse, inline: inline.join("\n"), key, maxBytes, known };
    return this.#options.builder.build(request, size);
  }

  /** Bytes that the table of a file may take, beside the tables of the others. */
  #roomOf(follower: Follower): number {
    let others = 0;
    for (const one of this.#followers) if (one !== follower) others += one.tableBytes;
    return Math.max(0, Math.floor(this.#share() / this.#copies) - others);
  }

  #share(): number {
    return this.#memoryBytes === undefined
      ? MAX_TABLES_BYTES
      : Math.min(MAX_TABLES_BYTES, hostsTableShareOf(this.#memoryBytes));
  }

  get #copies(): number {
    return this.#options.copies ?? 1;
  }

  #refuse(follower: Follower, built: HostsBuilt & { kind: "full" }): void {
    const { registry, log } = this.#options;
    const { path } = follower.options;
    registry?.counter("nodens_hosts_refused_total", { hostsfile: path }).add();
    const text = refusalText(built, {
      path,
      roomBytes: this.#roomOf(follower),
      memoryBytes: this.#memoryBytes ?? null,
      shareBytes: this.#share(),
      copies: this.#copies,
      served: follower.tableBytes > 0,
    });
    log("error", `plugin/hosts: ${text}`);
  }

  /** Publishes the sizes of the tables of this configuration. */
  #publish(): void {
    const { registry } = this.#options;
    if (registry === undefined || registry === null) return;
    for (const name of ["nodens_hosts_table_bytes", "nodens_hosts_skipped"]) registry.reset(name);
    for (const { options: { path }, report } of this.#followers) {
      // Several directives may name one file.
      const same = this.#followers.filter(({ options }) => options.path === path);
      const bytes = same.reduce((sum, { tableBytes }) => sum + tableBytes, 0) * this.#copies;
      registry.gauge("nodens_hosts_table_bytes", { hostsfile: path }).set(bytes);
      // An alert needs it before it counts.
      registry.counter("nodens_hosts_refused_total", { hostsfile: path });
      if (report === null) continue;
      const skipped = report.skippedLines + report.skippedNames + report.leftOut;
      registry.gauge("nodens_hosts_skipped", { hostsfile: path }).set(skipped);
    }
  }
}

function newFollower(block: number, position: number, options: HostsOptions): Follower {
  return {
    block,
    position,
    options,
    known: "",
    fresh: false,
    refused: false,
    digest: null,
    tableBytes: 0,
    report: null,
    timer: undefined,
  };
}

/** Whether two directives have the same table made of the same file. */
function sameTable({ options: a }: Follower, { options: b }: Follower): boolean {
  const of = ({ path, zones, autoReverse, inline }: HostsOptions) =>
    JSON.stringify([path, zones, autoReverse, inline]);
  return of(a) === of(b);
}

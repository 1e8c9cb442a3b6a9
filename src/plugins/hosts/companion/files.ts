import { type Cancel, type Clock, systemClock } from "../../../base/clock.ts";
import { releaseBuffer } from "../../../base/transfer.ts";
import { hostsLimitFor, hostsShareOf } from "../../../config/memory_limit.ts";
import type { Config } from "../../../config/types.ts";
import { readFailure } from "../../../corefile/read_failure.ts";
import type { LogLevel } from "../../../engine/handler.ts";
import { HashKey } from "../../../engine/question/keyed_hash.ts";
import { fileState, MAX_HOSTS_BYTES, requireRegular } from "../../../sys/regular_file.ts";
import {
  type CompanionServices,
  type Deliver,
  type Delivery,
  type Follower,
  type PluginUse,
  usesOf,
} from "../../companion.ts";
import { MAX_PER_ENTRY } from "../builder.ts";
import { hasSameTable, type HostsOptions } from "../options.ts";
import type { HostsBuilt, HostsReport } from "./build.ts";
import type { HostsBuilder } from "./builder.ts";

/** State of an unreadable file; logged once. */
const MISSING = "missing";
/** Without a memory limit: some ten million names. */
const MAX_TABLES_BYTES = 512 * 2 ** 20;
/** Pause as a multiple of the reading time: at most a tenth of a core. */
const REST = 9;

interface HostsFile extends PluginUse<HostsOptions> {
  /** When last read, or `MISSING`. */
  state: string;
  reread: boolean;
  refused: boolean;
  digest: string | null;
  tableBytes: number;
  report: HostsReport | null;
  cancel: Cancel;
}

/** Environment of `HostsFiles`. */
export interface HostsFilesOptions extends Pick<CompanionServices, "log" | "registry"> {
  deliver: Deliver;
  /** Data planes with a copy of the tables. */
  copies: number;
  builder: HostsBuilder;
  /** Handlers keep its tables until there are new ones. */
  previous: HostsFiles | null;
  clock?: Clock;
}

/** Follows a configuration's hosts files. */
export class HostsFiles implements Follower {
  readonly #options: Omit<HostsFilesOptions, "previous">;
  readonly #clock: Clock;
  readonly #memoryBytes: number | null;
  readonly #files: readonly HostsFile[];
  readonly #key = HashKey.draw(() => crypto.getRandomValues(new Uint32Array(1))[0]!);
  #stopped = false;

  constructor(config: Config, { previous, ...options }: HostsFilesOptions) {
    this.#memoryBytes = config.memoryBytes ?? null;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const known = previous === null ? [] : previous.#files;
    this.#files = usesOf<HostsOptions>(config, "hosts").map((use) => {
      const before = known.find((old) => hasSameTable(old.options, use.options));
      return {
        ...use,
        state: "",
        reread: false,
        refused: false,
        digest: null,
        tableBytes: before?.tableBytes ?? 0,
        report: before?.report ?? null,
        cancel: () => {},
      };
    });
  }

  async prepare(): Promise<Delivery[]> {
    const deliveries = await Array.fromAsync(this.#files, (file) => this.#load(file));
    return deliveries.filter((delivery) => delivery !== null);
  }

  async again(): Promise<Delivery[]> {
    const deliveries = await Array.fromAsync(this.#files, async (file) => {
      const { options: { path }, block, position } = file;
      const stat = await this.#options.builder.stat(path).catch(() => null);
      const built = stat && await this.#build(file, stat.size, null);
      return built?.kind === "table" ? { block, position, data: built.table } : null;
    });
    return deliveries.filter((delivery) => delivery !== null);
  }

  start(): void {
    this.#publish();
    for (const file of this.#files) {
      if (file.options.reloadMs > 0) this.#checkAfter(file, file.options.reloadMs);
    }
  }

  stop(): Promise<void> {
    this.#stopped = true;
    for (const { cancel } of this.#files) cancel();
    return Promise.resolve();
  }

  #checkAfter(file: HostsFile, delayMs: number): void {
    if (!this.#stopped) file.cancel = this.#clock.after(delayMs, () => void this.#check(file));
  }

  async #check(file: HostsFile): Promise<void> {
    const startMs = this.#clock.now();
    const before = file.tableBytes;
    try {
      const delivery = await this.#load(file);
      if (delivery === null) return;
      this.#options.deliver(delivery.block, delivery.position, delivery.data);
      this.#publish();
      if (file.tableBytes < before) {
        for (const one of this.#files) if (one.refused) one.reread = true;
      }
    } catch (error) {
      // Probably no memory for a copy; retried later.
      file.state = MISSING;
      file.digest = null;
      const why = (error as Error).message;
      this.#log("error", `Cannot deliver "${file.options.path}" to the data plane: ${why}`);
    } finally {
      const tookMs = this.#clock.now() - startMs;
      this.#checkAfter(file, Math.max(file.options.reloadMs, REST * tookMs));
    }
  }

  /** On failure, the last table stays. */
  async #load(file: HostsFile): Promise<Delivery | null> {
    const { options: { path }, block, position } = file;
    try {
      const stat = await this.#options.builder.stat(path);
      requireRegular(stat, MAX_HOSTS_BYTES);
      const state = fileState(stat, this.#clock.wall());
      const sameState = state.text === file.state;
      if (sameState && !file.reread) return null;
      const built = await this.#build(file, stat.size, file.digest);
      if (this.#stopped) {
        if (built.kind === "table") releaseBuffer(built.table);
        return null;
      }
      if (built.kind === "failed") throw new Error(built.why);
      file.state = state.text;
      file.reread = state.fresh;
      file.refused = built.kind === "full";
      if (built.kind === "full") {
        if (!sameState) this.#refuse(file, built);
        return null;
      }
      this.#options.registry.gauge("coredns_hosts_reload_timestamp_seconds")
        .set((stat.mtime?.getTime() ?? NaN) / 1000);
      if (built.kind === "same") return null;
      const { table, digest, report } = built;
      file.digest = digest;
      file.tableBytes = table.byteLength;
      file.report = report;
      const skipped = skippedText(path, report);
      if (skipped !== null) this.#log("warning", skipped);
      return { block, position, data: table };
    } catch (error) {
      if (this.#stopped) return null;
      if (file.state !== MISSING) {
        this.#log("warning", `Cannot read "${path}": ${readFailure(error)}`);
      }
      file.state = MISSING;
      return null;
    }
  }

  #build(file: HostsFile, size: number, knownDigest: string | null): Promise<HostsBuilt> {
    const { path, zones, authoritative, autoReverse, inline: lines } = file.options;
    const { k0, k1 } = this.#key;
    const table = { path, zones, authoritative, autoReverse, inline: lines.join("\n") };
    const maxBytes = this.#roomFor(file);
    const request = { ...table, key: { k0, k1 }, maxBytes, knownDigest };
    return this.#options.builder.build(request, size);
  }

  #roomFor(file: HostsFile): number {
    let others = 0;
    for (const one of this.#files) if (one !== file) others += one.tableBytes;
    return Math.max(0, Math.floor(this.#share() / this.#options.copies) - others);
  }

  #share(): number {
    return this.#memoryBytes === null
      ? MAX_TABLES_BYTES
      : Math.min(MAX_TABLES_BYTES, hostsShareOf(this.#memoryBytes));
  }

  #refuse(file: HostsFile, { lines, bytes, fullAt }: HostsBuilt & { kind: "full" }): void {
    const { registry, copies } = this.#options;
    const { path } = file.options;
    registry.counter("nodens_hosts_refused_total", { hostsfile: path }).add();
    const room = this.#roomFor(file);
    const missing = room * copies * (lines / Math.max(1, fullAt) - 1);
    const limit = mebibytes(hostsLimitFor(1.1 * (this.#share() + missing)));
    const [why, remedy] = this.#memoryBytes === null
      ? ["the maximum for the tables of hosts files", "shorten the list"]
      : [
        `what the memory limit of ${mebibytes(this.#memoryBytes)} leaves for it`,
        `raise the limit to about ${limit}, or shorten the list`,
      ];
    const served = file.tableBytes > 0 ? "its previous content" : "none of it";
    this.#log(
      "error",
      `Cannot load "${path}" (${lines} lines, ${mebibytes(bytes)}): only about the first ` +
        `${fullAt} lines fit into ${mebibytes(room)}, ${why}; ${served} is served (${remedy})`,
    );
  }

  #publish(): void {
    const { registry, copies } = this.#options;
    for (const name of ["nodens_hosts_table_bytes", "nodens_hosts_skipped"]) registry.reset(name);
    for (const { options: { path }, report } of this.#files) {
      const same = this.#files.filter(({ options }) => options.path === path);
      const bytes = same.reduce((sum, { tableBytes }) => sum + tableBytes, 0) * copies;
      registry.gauge("nodens_hosts_table_bytes", { hostsfile: path }).set(bytes);
      registry.counter("nodens_hosts_refused_total", { hostsfile: path });
      if (report === null) continue;
      const skipped = report.skippedLines + report.skippedNames + report.leftOut;
      registry.gauge("nodens_hosts_skipped", { hostsfile: path }).set(skipped);
    }
  }

  #log(level: LogLevel, line: string): void {
    this.#options.log(level, `plugin/hosts: ${line}`);
  }
}

function skippedText(path: string, report: HostsReport): string | null {
  const { lines, skippedLines, skippedNames, firstSkipped, leftOut } = report;
  const parts = [
    skippedLines > 0 ? `${skippedLines} of ${lines} lines without an address or a name` : "",
    skippedNames > 0 ? `${skippedNames} invalid names` : "",
    leftOut > 0 ? `${leftOut} addresses or names above the limit of ${MAX_PER_ENTRY} an entry` : "",
  ].filter((part) => part !== "");
  if (parts.length === 0) return null;
  const first = firstSkipped > 0 ? ` (the first in line ${firstSkipped})` : "";
  return `"${path}": skipped ${parts.join(", ")}${first}`;
}

function mebibytes(bytes: number): string {
  const value = bytes / 2 ** 20;
  return `${value < 10 ? value.toFixed(1) : Math.ceil(value)} MiB`;
}

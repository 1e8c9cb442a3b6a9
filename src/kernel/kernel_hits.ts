import { type Clock, systemClock } from "../base/clock.ts";
import type { LogLevel } from "../engine/handler.ts";
import { OUTCOMES } from "../engine/kernel/layout.ts";
import type { KernelMaps } from "../io/kernel_maps.ts";
import type { SeriesBook } from "../metrics/series.ts";
import { InterfaceFollower } from "./follower.ts";
import type { AttachKind, Interfaces } from "./interfaces.ts";
import { closeArrays, mapSizes, type ProgramMaps } from "./maps.ts";
import { type KernelOperations, linuxOperations } from "./operations.ts";
import { refusalOf } from "./refusal.ts";
import { Refusals } from "./refusals.ts";
import { checkProcess, type ProcessFacts } from "./requirements.ts";
import { type Selection, type Way, waysOf } from "./selection.ts";
import type { KernelHitsStatus } from "./status.ts";

/** `KernelHits` options. */
export interface KernelHitsOptions {
  selection: Selection;
  /** Rules of `-redirect` lead queries here. */
  redirects?: boolean;
  process: ProcessFacts;
  /** That the caches hold at most. */
  cachedAnswers: number;
  /** For the maps; absent without a memory limit. */
  limitBytes?: number | undefined;
  plane: { openKernel(maps: KernelMaps | null): void };
  /** Whether another nodens process serves here. */
  isBeside: () => boolean;
  log: (level: LogLevel, line: string) => void;
  clock?: Clock;
  operations?: KernelOperations;
}

/**
 * Hits that a program in the kernel answers: loads it, attaches it, and follows interfaces. Nothing
 * waits for it, and what fails is a refusal: nodens itself goes on answering.
 */
export class KernelHits {
  readonly #options: KernelHitsOptions;
  readonly #clock: Clock;
  readonly #operations: KernelOperations;
  readonly #refusals: Refusals;
  #state: "starting" | "running" | "refused" | "retired" = "starting";
  #bytes = 0;
  #attach: AttachKind | null = null;
  #maps: ProgramMaps | null = null;
  readonly #programs = new Map<Way, number>();
  #interfaces: Interfaces | null = null;
  #follower: InterfaceFollower | null = null;
  #isOpen = false;
  #announced = false;
  #outcomes: readonly number[] = OUTCOMES.map(() => 0);

  constructor(options: KernelHitsOptions) {
    const { log, clock = systemClock, operations = linuxOperations(clock) } = options;
    this.#options = options;
    this.#clock = clock;
    this.#operations = operations;
    this.#refusals = new Refusals(log, clock);
  }

  /** Resolves when the program is attached, or refused. Never rejects. */
  async start(): Promise<void> {
    let step: "maps" | "load" | "attach" = "maps";
    try {
      const { process, cachedAnswers, limitBytes, selection, redirects = false, isBeside } =
        this.#options;
      checkProcess(process);
      const sizes = mapSizes(cachedAnswers, limitBytes);
      this.#attach = this.#operations.attachKind();
      const maps = this.#maps = this.#operations.createMaps(sizes);
      this.#bytes = sizes.bytes;
      step = "load";
      for (const way of waysOf(selection)) {
        this.#programs.set(way, await this.#operations.load(way, maps));
        if (this.#state === "retired") return this.#release();
      }
      step = "attach";
      this.#interfaces = this.#operations.openInterfaces(this.#attach, this.#programs);
      this.#follower = new InterfaceFollower({
        interfaces: this.#interfaces,
        selection,
        redirects,
        refusals: this.#refusals,
        isBeside,
        onChange: () => this.#follow(),
        clock: this.#clock,
      });
      this.#state = "running";
      this.#follower.start();
    } catch (error) {
      if (this.#state !== "retired") {
        this.#state = "refused";
        this.#refusals.set(refusalOf(step, error));
      }
      this.#release();
    }
  }

  /** Takes the program off all interfaces: from now on all queries reach the sockets. */
  retire(): void {
    this.#state = "retired";
    this.#follower?.stop();
  }

  /** After `retire`, when the data plane has ended. */
  stop(): void {
    this.retire();
    this.#release();
  }

  describe(): KernelHitsStatus {
    const interfaces = this.#follower?.attached ?? [];
    const running = interfaces.length > 0 ? "on" : "waiting";
    return {
      state: { starting: "starting", running, refused: "refused", retired: "off" }[this.#state],
      attach: this.#attach,
      interfaces,
      answers: this.#readOutcomes()[0]!,
      bytes: this.#bytes,
      refusals: this.#refusals.all.map(({ reason, message }) => ({ reason, text: message })),
    } as KernelHitsStatus;
  }

  addMetrics(book: SeriesBook): void {
    const [answered, ...passed] = this.#readOutcomes();
    book.add("nodens_kernel_answers_total", {}, answered!);
    for (const [i, count] of passed.entries()) {
      book.add("nodens_kernel_passes_total", { reason: OUTCOMES[i + 1]! }, count);
    }
    book.add("nodens_kernel_interfaces", {}, this.#follower?.attached.length ?? 0);
    book.add("nodens_kernel_hits_bytes", {}, this.#bytes);
    this.#refusals.addMetrics(book);
  }

  /** The data plane publishes only while an interface has the program. */
  #follow(): void {
    const { plane, log } = this.#options;
    const { attached } = this.#follower!;
    if (attached.length > 0 === this.#isOpen) return;
    this.#isOpen = !this.#isOpen;
    if (!this.#isOpen) return plane.openKernel(null);
    const { conf, buckets, small, large } = this.#maps!;
    plane.openKernel({ conf, buckets, small, large });
    // Interfaces come and go: `nodens status` lists them.
    const line = this.#announced
      ? "the program is attached again"
      : `the program is attached (${this.#attach}); its answers bypass iptables, NetworkPolicy and` +
        " CNIs that read DNS (docs/kernel-path.md)";
    log("info", `kernel hits: ${line}`);
    this.#announced = true;
  }

  #readOutcomes(): readonly number[] {
    if (this.#maps === null) return this.#outcomes;
    try {
      this.#outcomes = this.#operations.readOutcomes(this.#maps.outcomes);
    } catch {
      // The last counts stay.
    }
    return this.#outcomes;
  }

  #release(): void {
    this.#readOutcomes();
    this.#interfaces?.close();
    this.#interfaces = null;
    for (const fd of this.#programs.values()) this.#operations.close(fd);
    this.#programs.clear();
    if (this.#maps !== null) closeArrays(Object.values(this.#maps), this.#operations.close);
    this.#maps = null;
    this.#bytes = 0;
  }
}

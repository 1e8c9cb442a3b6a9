import assert from "node:assert/strict";
import { systemClock } from "../../../src/base/clock.ts";
import {
  BUCKET_SIZE,
  CONF,
  CONF_SIZE,
  LARGE_SLOT,
  OUTCOMES,
  OUTCOMES_SIZE,
  SMALL_SLOT,
} from "../../../src/engine/kernel/layout.ts";
import { PROGRAMS } from "../../../src/kernel/program/program.ts";
import {
  type BpfArray,
  closeDescriptor,
  createArray,
  type KernelProgram,
  loadProgram,
  mapArray,
  readPerCpu,
} from "../../../src/sys/bpf/bpf.ts";
import { Attributes, BPF, BpfError, tryBpf } from "../../../src/sys/bpf/call.ts";
import { CLOCK } from "../../../src/sys/constants.ts";
import { lastErrno, openLibc } from "../../../src/sys/libc.ts";
import { viewOf } from "../messages/wire.ts";
import { rootReasons } from "../run/require.ts";
import { SERVER } from "./packets.ts";
import { type Entry, type Memories, type Used, writeConf, writeEntry } from "./slots.ts";

/** Verdicts of tc. */
export const VERDICT = { next: -1, pass: 0, drop: 2, redirect: 7 } as const;
export const BUCKETS = 16;
const LOAD_MS = 60_000;
const OUTPUT_SIZE = 2048;
const MINUTE = 60_000_000_000n;

export type Outcome = (typeof OUTCOMES)[number];

/** Why the kernel here takes no programs. */
export function kernelReasons(): string[] {
  const reasons = rootReasons();
  if (reasons.length > 0) return reasons;
  try {
    closeDescriptor(createArray("probe", { valueSize: 8, entries: 1 }).fd);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

export function boottime(): bigint {
  const time = new BigInt64Array(2);
  openLibc().clock_gettime(CLOCK.BOOTTIME, new Uint8Array(time.buffer));
  return time[0]! * 1_000_000_000n + time[1]!;
}

/** Maps of a test's size. */
export const MAP_SIZES = {
  conf: { valueSize: CONF_SIZE, entries: 1 },
  buckets: { valueSize: BUCKET_SIZE, entries: BUCKETS },
  small: { valueSize: SMALL_SLOT.sizeBytes, entries: 64 },
  large: { valueSize: LARGE_SLOT.sizeBytes, entries: 64 },
  outcomes: { valueSize: OUTCOMES_SIZE, entries: 1, perCpu: true },
} as const;

export interface Endpoint {
  address: readonly number[];
  port: number;
}

/** Where queries are answered. */
export const ENDPOINTS: readonly Endpoint[] = [
  { address: SERVER[4], port: 53 },
  { address: SERVER[6], port: 53 },
  { address: SERVER[4], port: 1053 },
];

/** A program in the kernel with memory of its own. */
export class ProgramRig {
  readonly maps: ReadonlyMap<string, BpfArray>;
  readonly memories: Memories;
  readonly fd: number;
  readonly #used: Used = { small: 0, large: 0 };
  readonly #unmap: (() => void)[] = [];

  private constructor(fd: number, maps: ReadonlyMap<string, BpfArray>) {
    this.fd = fd;
    this.maps = maps;
    const memory = (name: string) => {
      const { memory, unmap } = mapArray(maps.get(name)!);
      this.#unmap.push(unmap);
      return new Uint8Array(memory);
    };
    this.memories = {
      conf: memory("conf"),
      buckets: memory("buckets"),
      small: memory("small"),
      large: memory("large"),
    };
    this.configure();
  }

  /** @param small - number of small slots */
  static async load(
    program: KernelProgram = PROGRAMS.tc_redirect,
    small: number = MAP_SIZES.small.entries,
  ): Promise<ProgramRig> {
    const sizes = { ...MAP_SIZES, small: { ...MAP_SIZES.small, entries: small } };
    const maps = new Map<string, BpfArray>(
      Object.entries(sizes).map(([name, size]) => [name, createArray(name, size)]),
    );
    return new ProgramRig(await loadProgram(program, maps, LOAD_MS, systemClock), maps);
  }

  configure(endpoints: readonly Endpoint[] = ENDPOINTS): void {
    const aliveUntil = boottime() + 10n * MINUTE;
    writeConf(this.memories.conf, { aliveUntil, buckets: BUCKETS, endpoints });
  }

  /** Changes a 32-bit number, or the end of answers, in `conf`. */
  set(field: "GENERATION" | "ENDPOINTS" | "ALIVE_UNTIL", value: number | bigint): void {
    const view = viewOf(this.memories.conf);
    if (typeof value === "bigint") view.setBigUint64(CONF[field], value, true);
    else view.setUint32(CONF[field], value, true);
  }

  /** Returns a view of the slot. */
  publish(entry: Entry): DataView {
    const { kind, at } = writeEntry(this.memories, this.#used, entry, boottime());
    return viewOf(this.memories[kind].subarray(at));
  }

  clear(): void {
    this.memories.buckets.fill(0);
    this.#used.small = this.#used.large = 0;
  }

  /** Gives a packet to the program; returns what it makes of it. */
  run(frame: Uint8Array): { verdict: number; packet: Uint8Array; outcome: Outcome | null } {
    const before = this.outcomes();
    const output = new Uint8Array(OUTPUT_SIZE);
    const attributes = new Attributes(48)
      .word(0, this.fd)
      .word(8, frame.length)
      .word(12, output.length)
      .address(16, frame.slice())
      .address(24, output)
      .word(32, 1);
    if (tryBpf(openLibc(), BPF.PROG_TEST_RUN, attributes) < 0) {
      throw new BpfError("run a program", lastErrno());
    }
    const after = this.outcomes();
    const changed = OUTCOMES.filter((_, i) => after[i] !== before[i]);
    assert.ok(changed.length <= 1, changed.join());
    return {
      verdict: attributes.read(4) | 0,
      packet: output.subarray(0, attributes.read(12)),
      outcome: changed[0] ?? null,
    };
  }

  outcomes(): number[] {
    return readPerCpu(this.maps.get("outcomes")!);
  }

  close(): void {
    for (const unmap of this.#unmap) unmap();
    for (const { fd } of this.maps.values()) closeDescriptor(fd);
    closeDescriptor(this.fd);
  }
}

import type { Clock } from "../base/clock.ts";
import { readKernelFile } from "../sys/kernel_file.ts";
import { type BpfArray, closeDescriptor, loadProgram, readPerCpu } from "../sys/bpf/bpf.ts";
import { type AttachKind, attachKind, type Interfaces, LinuxInterfaces } from "./interfaces.ts";
import { createMaps, type MapSizes, type ProgramMaps } from "./maps.ts";
import { PROGRAMS } from "./program/program.ts";
import { checkClock } from "./requirements.ts";
import type { Way } from "./selection.ts";

/** What the kernel is asked to do; throws `BpfError` or `NetlinkError`. */
export interface KernelOperations {
  attachKind(): AttachKind;
  createMaps(sizes: MapSizes): ProgramMaps;
  /** Returns a descriptor. */
  load(way: Way, maps: ProgramMaps): Promise<number>;
  openInterfaces(kind: AttachKind, programs: ReadonlyMap<Way, number>): Interfaces;
  /** Counts by outcome. */
  readOutcomes(outcomes: BpfArray): number[];
  close(fd: number): void;
}

/** The verifier needs 0.1 s; on a busy machine more. */
const LOAD_MS = 5000;
const PROGRAM_OF = { local: "tc_local", redirect: "tc_redirect" } as const;

/** The kernel of this machine. `forced`: attach in this way. */
export function linuxOperations(clock: Clock, forced?: AttachKind): KernelOperations {
  return {
    attachKind() {
      checkClock(readOffsets());
      return forced ?? attachKind();
    },
    createMaps,
    load(way, maps) {
      return loadProgram(PROGRAMS[PROGRAM_OF[way]], new Map(Object.entries(maps)), LOAD_MS, clock);
    },
    openInterfaces: (kind, programs) => new LinuxInterfaces(kind, programs),
    readOutcomes: readPerCpu,
    close: closeDescriptor,
  };
}

/** Null before Linux 5.6. */
function readOffsets(): string | null {
  try {
    return readKernelFile("/proc/self/timens_offsets");
  } catch {
    return null;
  }
}
